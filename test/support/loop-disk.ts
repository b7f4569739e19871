import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { missingPrograms } from './missing-programs.ts';

/** Why a test on loop devices has to skip itself; false when it can run. */
export function whyNoLoopDisks(...programs: readonly string[]): string | false {
  if (process.geteuid?.() !== 0) return 'only root has loop devices';
  const missing = missingPrograms(
    'losetup',
    'partx',
    'sfdisk',
    'mkfs.ext4',
    'unshare',
    'nsenter',
    ...programs,
  );
  if (missing !== false) return missing;
  return spawnSync('losetup', ['-f']).status === 0 ? false : 'needs loop devices';
}

/** A disk with GPT partitions in a file, gone with its mounts after the test. Partitions are numbered from 1. */
export class LoopDisk {
  readonly directory: string;
  readonly node: string;
  readonly #mounts: string[] = [];

  private constructor(directory: string, node: string) {
    this.directory = directory;
    this.node = node;
  }

  /** Partitions of these sizes in KiB, with these names. */
  static create(
    t: TestContext,
    partitions: readonly { readonly name: string; readonly kib: number }[],
  ): LoopDisk {
    // In memory: a disk below it would make every flush slow.
    const home = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const directory = mkdtempSync(join(home, 'ota-disk-'));
    const image = join(directory, 'disk.img');
    writeFileSync(image, '');
    const total = partitions.reduce((sum, { kib }) => sum + Math.ceil(kib / 1024) + 1, 4);
    truncateSync(image, total * 1024 * 1024);
    const lines = partitions.map(({ name, kib }) => `size=${kib}KiB, name=${name}`);
    execFileSync('sfdisk', ['-q', image], { input: ['label: gpt', ...lines, ''].join('\n') });
    const node = execFileSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).trim();
    const disk = new LoopDisk(directory, node);
    t.after(() => disk.#remove());
    // Partitions of the disk that the loop device had before may be left, at other places.
    spawnSync('partx', ['--delete', node]);
    execFileSync('partx', ['--add', node]);
    return disk;
  }

  /** One that another process made and will remove. */
  static attach(directory: string, node: string): LoopDisk {
    return new LoopDisk(directory, node);
  }

  partition(number: number): string {
    return `${this.node}p${number}`;
  }

  format(number: number, type: string, ...args: readonly string[]): void {
    const force = type === 'ext4' ? '-F' : '-f';
    execFileSync(`mkfs.${type}`, ['-q', force, ...args, this.partition(number)]);
  }

  mount(number: number, options = 'rw'): string {
    const at = join(this.directory, `mnt${number}`);
    mkdirSync(at, { recursive: true });
    execFileSync('mount', ['-o', options, this.partition(number), at]);
    this.#mounts.push(at);
    return at;
  }

  unmount(number: number): void {
    const at = join(this.directory, `mnt${number}`);
    execFileSync('umount', [at]);
    this.#mounts.splice(this.#mounts.indexOf(at), 1);
  }

  /** Does something to the tree of a partition, mounted for it. */
  async inside<T>(number: number, work: (root: string) => T | Promise<T>): Promise<T> {
    const root = this.mount(number);
    try {
      return await work(root);
    } finally {
      this.unmount(number);
    }
  }

  /** Digest of every byte of a partition. */
  digest(number: number): string {
    execFileSync('blockdev', ['--flushbufs', this.partition(number)]);
    return execFileSync('sha256sum', [this.partition(number)], { encoding: 'utf8' }).slice(0, 64);
  }

  #remove(): void {
    for (const at of this.#mounts.toReversed()) spawnSync('umount', ['-R', at]);
    spawnSync('partx', ['--delete', this.node]);
    spawnSync('losetup', ['-d', this.node]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
