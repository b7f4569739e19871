import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Command, CommandResult } from './command.ts';
import { runCommand } from './command.ts';

export type MountErrorCode =
  /** This process may not have a mount namespace of its own, or the tools for it are missing. */
  | 'not_available'
  /** The process that holds the namespace has ended, and with it every mount. */
  | 'lost'
  | 'mount_failed'
  | 'unmount_failed';

export class MountError extends Error {
  override readonly name = 'MountError';
  readonly code: MountErrorCode;

  constructor(code: MountErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface MountOptions {
  /** Found out by mount(8) when undefined. */
  readonly type?: string;
  readonly options?: readonly string[];
}

type Holder = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Ends with its standard input, and by nothing that is sent to the whole service: a service manager that stops the
 * daemon must not take the mounts from under its last writes. An ignored signal stays ignored over exec.
 */
const holderScript = "trap '' TERM INT HUP; echo ready; exec cat >/dev/null";
const startTimeoutMs = 10_000;
/** A file system may have to write its journal back. */
const mountTimeoutMs = 120_000;
/** Unmounting writes everything that is still in memory. */
const unmountTimeoutMs = 30 * 60 * 1000;
const endTimeoutMs = 10_000;

/**
 * Mounts that only this process sees. A holder process keeps the namespace; it ends with us however we end, and the
 * kernel then unmounts everything. Unmounts of the rest of the system reach the namespace, its own mounts never leave it.
 *
 * Errors of every call: MountError; CommandError when a tool cannot be run or the signal fires.
 */
export class MountNamespace implements AsyncDisposable {
  readonly #directory: string;
  readonly #holder: Holder;
  readonly #ended: Promise<string>;
  #end: string | undefined;
  #mounted: string[] = [];

  private constructor(directory: string, holder: Holder, ended: Promise<string>) {
    this.#directory = directory;
    this.#holder = holder;
    this.#ended = ended.then((how) => {
      this.#end = how;
      return how;
    });
  }

  /** `directory` holds the mount points; it is made when missing. */
  static async open(directory: string, signal: AbortSignal): Promise<MountNamespace> {
    signal.throwIfAborted();
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const argv = ['--mount', '--propagation', 'slave', 'sh', '-c', holderScript];
    const holder = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    let said = '';
    holder.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-1000);
    });
    holder.stdin.on('error', () => {});
    const ended = new Promise<string>((resolve) => {
      holder.once('error', (error) => resolve(error.message));
      holder.once('close', (code, name) => resolve(said.trim() || `it ended by ${name ?? `exit ${code}`}`));
    });
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]);
    try {
      const ready = once(holder.stdout, 'data', { signal: giveUp });
      ready.catch(() => {});
      const how = await Promise.race([ended, ready.then(() => undefined)]);
      if (how !== undefined) {
        throw new MountError(
          'not_available',
          `a private mount namespace could not be made (unshare: ${how}); it needs root (CAP_SYS_ADMIN) and util-linux`,
        );
      }
    } catch (error) {
      holder.kill('SIGKILL');
      if (error instanceof MountError || signal.aborted) throw error;
      throw new MountError('not_available', 'unshare did not make a mount namespace', { cause: error });
    }
    // Nothing is left to wait for: a process that ends without disposing of this ends the holder all the same.
    holder.unref();
    for (const stream of [holder.stdin, holder.stdout, holder.stderr]) unrefStream(stream);
    return new MountNamespace(directory, holder, ended);
  }

  /** False once the holder has ended, and every mount with it. */
  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /**
   * Where this process, its threads and the programs it starts see the mount point `name`.
   * Errors: MountError `lost`.
   */
  pathOf(name: string): string {
    return `/proc/${this.#pid()}/root${this.#inside(name)}`;
  }

  /** Mounts a device; the mount point is made when missing. Returns `pathOf(name)`. */
  async mount(
    device: string,
    name: string,
    { type, options = [] }: MountOptions,
    signal: AbortSignal,
  ): Promise<string> {
    const args = [
      ...(type === undefined ? [] : ['-t', type]),
      ...(options.length === 0 ? [] : ['-o', options.join(',')]),
    ];
    await this.#mount(device, name, [...args, device, this.#inside(name)], signal);
    return this.pathOf(name);
  }

  /** Mounts a directory a second time, read only, without what is mounted below it. Returns `pathOf(name)`. */
  async bindReadOnly(source: string, name: string, signal: AbortSignal): Promise<string> {
    const at = this.#inside(name);
    // Private: what others mount below the source later must not appear here.
    await this.#mount(source, name, ['--bind', '--make-private', source, at], signal);
    const { exitCode, stderr } = await this.#tool(['mount', '-o', 'remount,bind,ro', at], signal);
    if (exitCode !== 0) {
      await this.unmount(name, signal);
      throw new MountError('mount_failed', `${source} could not be bound read only: ${firstLine(stderr)}`);
    }
    return this.pathOf(name);
  }

  /** Changes options of a mount, such as `ro`. */
  async remount(name: string, options: readonly string[], signal: AbortSignal): Promise<void> {
    const argv: [string, ...string[]] = [
      'mount',
      '-o',
      ['remount', ...options].join(','),
      this.#inside(name),
    ];
    const { exitCode, stderr } = await this.#tool(argv, signal, unmountTimeoutMs);
    if (exitCode === 0) return;
    throw new MountError('mount_failed', `${name} could not be remounted: ${firstLine(stderr)}`);
  }

  /** Writes back what is in memory, and unmounts; fine when nothing is mounted there. */
  async unmount(name: string, signal: AbortSignal): Promise<void> {
    if (!this.#mounted.includes(name)) return;
    const { exitCode, stderr } = await this.#tool(['umount', this.#inside(name)], signal, unmountTimeoutMs);
    if (exitCode !== 0) {
      throw new MountError('unmount_failed', `${name} could not be unmounted: ${firstLine(stderr)}`);
    }
    this.#mounted = this.#mounted.filter((other) => other !== name);
  }

  /** Runs a program inside the namespace, where `pathOf` is not needed. An exit code other than 0 is a result. */
  run(command: Command, signal: AbortSignal): Promise<CommandResult> {
    const enter = ['nsenter', `--mount=/proc/${this.#pid()}/ns/mnt`, '--'] as const;
    return runCommand({ ...command, argv: [...enter, ...command.argv] }, signal);
  }

  /** Unmounts everything and ends the holder. Never fails: what cannot be unmounted now goes with the last user of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const signal = new AbortController().signal;
    for (const name of this.#mounted.toReversed()) {
      if (this.#end === undefined) await this.unmount(name, signal).catch(() => {});
    }
    this.#holder.ref();
    this.#holder.stdin.end();
    const timer = setTimeout(() => this.#holder.kill('SIGKILL'), endTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  async #mount(what: string, name: string, args: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#mounted.includes(name)) throw new MountError('mount_failed', `${name} is mounted already`);
    await mkdir(this.#inside(name), { recursive: true, mode: 0o700 });
    const { exitCode, stderr } = await this.#tool(['mount', ...args], signal);
    if (exitCode !== 0) {
      throw new MountError('mount_failed', `${what} could not be mounted: ${firstLine(stderr)}`);
    }
    this.#mounted = [...this.#mounted, name];
  }

  #tool(
    argv: readonly [string, ...string[]],
    signal: AbortSignal,
    timeoutMs = mountTimeoutMs,
  ): Promise<CommandResult> {
    return this.run({ argv, timeoutMs, env: { LC_ALL: 'C' } }, signal);
  }

  #inside(name: string): string {
    return join(this.#directory, name);
  }

  #pid(): number {
    const { pid } = this.#holder;
    if (pid !== undefined && this.#end === undefined) return pid;
    throw new MountError(
      'lost',
      `the process that held the mounts has gone (${this.#end}): slots are unmounted until the daemon opens them again`,
    );
  }
}

function unrefStream(stream: Readable | Writable): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
