import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/**
 * Why a program gave no result. To `runCommand` an exit code other than 0 is a result; its callers that take it for a
 * failure say `failed`.
 */
export type CommandErrorCode = 'not_started' | 'timed_out' | 'aborted' | 'failed';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: CommandErrorCode;
  /** What the program had written until it was ended, cut like a result's output. */
  readonly output: string;

  constructor(
    code: CommandErrorCode,
    message: string,
    output: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.output = output;
  }
}

export interface Command {
  /** Program name (looked up on PATH) or absolute path, then its arguments. Never goes through a shell. */
  readonly argv: readonly [string, ...string[]];
  /** Added to the daemon's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds until the program and everything it started is killed. */
  readonly timeoutMs: number;
  /** Keeps the last so many bytes of each output stream. Default 64 KiB. */
  readonly maxOutputBytes?: number;
}

export interface CommandResult {
  /** Undefined when the program was ended by a signal. */
  readonly exitCode: number | undefined;
  /** Name of the signal that ended it, if one did. */
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was killed and has not ended after so long is not waited for any more. */
const killGraceMs = 5000;

/** Pipes that a background descendant keeps open are left alone this long after the program's own end. */
const pipeGraceMs = 200;

/**
 * Runs a program to its end. On timeout or abort its whole process group is killed, so that nothing it started is left,
 * except what hangs in the kernel, as on a disk that does not answer: the error says so. Errors: CommandError.
 */
export async function runCommand(command: Command, signal: AbortSignal): Promise<CommandResult> {
  const [file] = command.argv;
  if (signal.aborted) throw new CommandError('aborted', `${file} was not started: stopped before`, '');
  const child = start(command);
  const cap = command.maxOutputBytes ?? 64 * 1024;
  const stdout = keepTail(child.stdout, cap);
  const stderr = keepTail(child.stderr, cap);
  const killGroup = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // ESRCH: the group is gone already.
    }
  };

  const output = (): string => [stderr(), stdout()].filter((text) => text !== '').join('\n');
  let ended: 'timed_out' | 'aborted' | undefined;
  const stuck = Promise.withResolvers<never>();
  let grace: NodeJS.Timeout | undefined;
  const end = (reason: 'timed_out' | 'aborted'): void => {
    ended ??= reason;
    killGroup();
    grace ??= setTimeout(() => {
      const what = `${file} hangs in the kernel (process ${child.pid}): it was killed, and does not end`;
      stuck.reject(new CommandError(reason, what, output()));
    }, killGraceMs);
  };
  const onAbort = (): void => end('aborted');
  const timer = setTimeout(() => end('timed_out'), command.timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });

  try {
    const whole = new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, name) => resolve([code, name]));
      // A background descendant may keep the pipes open for ever: the program's own end counts.
      child.once('exit', (code, name) => setTimeout(() => resolve([code, name]), pipeGraceMs).unref());
    });
    const [exitCode, endSignal] = await Promise.race([whole, stuck.promise]);
    if (ended === 'timed_out') {
      throw new CommandError('timed_out', `${file} did not end within ${command.timeoutMs} ms`, output());
    }
    if (ended === 'aborted') throw new CommandError('aborted', `${file} was stopped`, output());
    return {
      exitCode: exitCode ?? undefined,
      signal: endSignal ?? undefined,
      stdout: stdout(),
      stderr: stderr(),
    };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw notStarted(file, error);
  } finally {
    clearTimeout(timer);
    clearTimeout(grace);
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function start(command: Command): ChildProcessByStdio<null, Readable, Readable> {
  const [file, ...args] = command.argv;
  try {
    return spawn(file, args, {
      cwd: command.cwd,
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group: the group is what is killed, not only the program.
      detached: true,
    });
  } catch (error) {
    throw notStarted(file, error);
  }
}

function notStarted(file: string, cause: unknown): CommandError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CommandError('not_started', `${file} could not be started: ${why}`, '', { cause });
}

/** Collects the last `cap` bytes of a stream. */
function keepTail(stream: Readable, cap: number): () => string {
  let kept: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    kept.push(chunk);
    length += chunk.length;
    if (length > 2 * cap) {
      kept = [Buffer.concat(kept).subarray(-cap)];
      length = cap;
    }
  });
  stream.on('error', () => {});
  return () => Buffer.concat(kept).subarray(-cap).toString('utf8');
}
