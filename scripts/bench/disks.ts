import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './shell.ts';

/** Two ext4 disks in loop devices: the active slot and the new tree lie on one, the standby slot on the other. */
export class Disks implements Disposable {
  readonly #directory: string;
  readonly source: string;
  readonly target: string;

  constructor(directory: string, oldTar: string, newTar: string) {
    this.#directory = directory;
    this.source = join(directory, 'source');
    this.target = join(directory, 'target');
    mkdirSync(this.source, { recursive: true });
    mkdirSync(this.target, { recursive: true });
    run('truncate', '-s', '8G', `${this.source}.img`);
    run('mkfs.ext4', '-q', '-F', `${this.source}.img`);
    run('mount', '-o', 'loop', `${this.source}.img`, this.source);
    for (const [name, tar] of [
      ['old', oldTar],
      ['new', newTar],
    ] as const) {
      mkdirSync(join(this.source, name));
      // Device nodes are not part of an image; the copy shall do the same work.
      run('tar', '-C', join(this.source, name), '--exclude=./dev/*', '-xf', tar);
    }
    run('sync');
  }

  get oldTree(): string {
    return join(this.source, 'old');
  }

  get newTree(): string {
    return join(this.source, 'new');
  }

  /** An empty target disk; with cold caches, if wanted. */
  fresh(cold: boolean): void {
    this.#unmountTarget();
    rmSync(`${this.target}.img`, { force: true });
    run('truncate', '-s', '5G', `${this.target}.img`);
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', `${this.target}.img`);
    run('mount', '-o', 'loop', `${this.target}.img`, this.target);
    run('sync');
    if (cold) run('sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches');
  }

  /** Shows a tree of the source disk at a place on the target disk. */
  bind(from: string, to: string): void {
    mkdirSync(to, { recursive: true });
    run('mount', '--bind', from, to);
  }

  #unmountTarget(): void {
    for (const point of mountPoints().filter((path) => path.startsWith(this.target))) run('umount', point);
  }

  [Symbol.dispose](): void {
    this.#unmountTarget();
    if (mountPoints().includes(this.source)) run('umount', this.source);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Deepest first. */
function mountPoints(): string[] {
  const lines = run('cat', '/proc/self/mounts').trim().split('\n');
  return lines.map((line) => line.split(' ')[1] ?? '').sort((a, b) => b.length - a.length);
}
