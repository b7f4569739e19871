import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { usedRuns } from './disk-image.ts';

/** How Linux took a file system after a power cut. */
export interface MountReport<T> {
  /** Undefined when it was mounted and its check found nothing afterwards. */
  readonly problem: string | undefined;
  /** What `look` saw in it; undefined when it was not mounted. */
  readonly seen: T | undefined;
}

/**
 * Mounts file systems out of memory, one after the other, where nobody else sees them: in the mount namespace of a shell that
 * ends with this process, however that ends, and takes mounts and loop devices with it.
 */
export class MountBench implements AsyncDisposable {
  readonly #directory: string;
  readonly #shell: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#shell = spawn(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'bash',
        '-c',
        'while IFS= read -r l; do eval "$l"; echo "= $?"; done 2>&1',
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#lines = createInterface({ input: this.#shell.stdout })[Symbol.asyncIterator]();
  }

  static async open(directory: string): Promise<MountBench> {
    mkdirSync(join(directory, 'at'), { recursive: true });
    const bench = new MountBench(directory);
    await bench.#run('true');
    return bench;
  }

  /**
   * Puts a file system on the bench, has Linux recover it as at a boot (`check`: e2fsck first, else the kernel's own
   * replay), shows it to `look`, and checks it once more afterwards.
   */
  async mount<T>(
    bytes: Buffer,
    way: 'check' | 'replay',
    look: (root: string) => Promise<T>,
  ): Promise<MountReport<T>> {
    const file = join(this.#directory, 'filesystem');
    const at = join(this.#directory, 'at');
    const fd = openSync(file, 'w');
    try {
      ftruncateSync(fd, bytes.length);
      for (const { at: from, data } of usedRuns(bytes)) writeSync(fd, data, 0, data.length, from);
    } finally {
      closeSync(fd);
    }
    if (way === 'check') {
      // 1: errors were corrected, which is what is meant by a check at boot.
      const { code, text } = await this.#run(`e2fsck -p '${file}'`);
      if (code > 1) return { problem: `e2fsck -p ended with ${code}: ${text}`, seen: undefined };
    }
    const mounted = await this.#run(`mount -t ext4 -o loop '${file}' '${at}'`);
    if (mounted.code !== 0) return { problem: mounted.text, seen: undefined };
    const seen = await look(`/proc/${this.#shell.pid}/root${at}`);
    const left = await this.#run(`umount '${at}'`);
    if (left.code !== 0) throw new Error(left.text);
    const { code, text } = await this.#run(`e2fsck -fn '${file}'`);
    return { problem: code === 0 ? undefined : `e2fsck -fn ended with ${code}: ${text}`, seen };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#shell, 'exit');
    this.#shell.stdin.end();
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #run(command: string): Promise<{ readonly code: number; readonly text: string }> {
    this.#shell.stdin.write(`${command}\n`);
    const lines: string[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`the mount bench ended: ${lines.join(' ')}`);
      if (value.startsWith('= ')) return { code: Number(value.slice(2)), text: lines.join(' ') };
      lines.push(value);
    }
  }
}
