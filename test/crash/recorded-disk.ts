import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { attachLoop, detachLoop } from './loop-device.ts';
import { LogTail } from './write-log.ts';

/** A partition of the disk, in sectors of 512 bytes. */
export interface Partition {
  readonly start: number;
  readonly sectors: number;
}

export const partitionNames = ['boot', 'slot_a', 'slot_b'] as const;
export type PartitionName = (typeof partitionNames)[number];

const mebibyte = 2048;

/** As GRUB on a BIOS machine is laid out: room before the first partition, /boot, and two slots. */
export const layout: Readonly<Record<PartitionName, Partition>> = {
  boot: { start: mebibyte, sectors: 40 * mebibyte },
  slot_a: { start: 41 * mebibyte, sectors: 32 * mebibyte },
  slot_b: { start: 73 * mebibyte, sectors: 32 * mebibyte },
};
export const diskSectors = 106 * mebibyte;

/**
 * A disk of which every write and every flush is recorded: a loop device on a file that a QEMU storage daemon serves by FUSE.
 * Its cache is the daemon's log: what was written counts as durable only after the next flush.
 */
export class RecordedDisk implements AsyncDisposable {
  readonly base: string;
  readonly log: string;
  readonly device: string;
  readonly #server: ChildProcess;
  readonly #tail: LogTail;
  readonly #logFile: number;

  private constructor(directory: string, device: string, server: ChildProcess) {
    this.base = join(directory, 'base');
    this.log = join(directory, 'log');
    this.device = device;
    this.#server = server;
    this.#logFile = openSync(this.log, 'r');
    this.#tail = new LogTail(this.#logFile);
  }

  /** Needs root, qemu-storage-daemon, /dev/fuse and loop devices. `directory` should lie in memory. */
  static async create(directory: string): Promise<RecordedDisk> {
    const [base, log, served] = [join(directory, 'base'), join(directory, 'log'), join(directory, 'disk')];
    for (const file of [base, log, served]) writeFileSync(file, '');
    truncateSync(base, diskSectors * 512);
    truncateSync(log, 4 * 1024 ** 3);
    const server = spawn(
      'qemu-storage-daemon',
      [
        '--blockdev',
        `driver=file,filename=${base},node-name=base,discard=unmap`,
        '--blockdev',
        `driver=file,filename=${log},node-name=log`,
        '--blockdev',
        'driver=blklogwrites,node-name=recorded,file=base,log=log,log-sector-size=512',
        '--export',
        `type=fuse,id=disk,node-name=recorded,mountpoint=${served},writable=on`,
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    try {
      // The export covers the empty file once it is there.
      await until(() => statSync(served).size === diskSectors * 512, `${served} is not served`, server);
      const device = attachLoop(served);
      const disk = new RecordedDisk(directory, device, server);
      try {
        partition(device);
        return disk;
      } catch (error) {
        await disk[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      server.kill('SIGTERM');
      throw error;
    }
  }

  partition(name: PartitionName): string {
    return `${this.device}p${partitionNames.indexOf(name) + 1}`;
  }

  /** How many writes and flushes have reached the disk. */
  mark(): number {
    return this.#tail.count();
  }

  /** The file systems on it must be unmounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    closeSync(this.#logFile);
    detachLoop(this.device);
    if (this.#server.exitCode !== null) return;
    const ended = once(this.#server, 'exit');
    this.#server.kill('SIGTERM');
    await ended;
  }
}

/** Writes the partition table of `layout` and has the kernel see it; also one that parses no partition tables itself. */
export function partition(device: string): void {
  const lines = Object.values(layout).map(({ start, sectors }) => `start=${start}, size=${sectors}, type=83`);
  execFileSync('sfdisk', ['--quiet', '--no-tell-kernel', device], {
    input: `label: dos\nlabel-id: 0x0ca5cade\n${lines.join('\n')}\n`,
  });
  showPartitions(device);
}

export function showPartitions(device: string): void {
  execFileSync('partx', ['--update', device]);
  if (!existsSync(`${device}p3`)) throw new Error(`the kernel does not show the partitions of ${device}`);
}

async function until(holds: () => boolean, otherwise: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (child.exitCode !== null || performance.now() > end) throw new Error(otherwise);
    await delay(5);
  }
}
