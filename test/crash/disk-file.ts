import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { usedRuns } from './disk-image.ts';
import { attachLoop, detachLoop } from './loop-device.ts';
import {
  diskSectors,
  type PartitionName,
  partition,
  partitionNames,
  showPartitions,
} from './recorded-disk.ts';
import type { VehicleDisk } from './vehicle.ts';

/** A disk in a file, shown by a loop device: what was rebuilt after a power cut, or an empty one. */
export class DiskFile implements VehicleDisk, Disposable {
  readonly device: string;

  private constructor(device: string) {
    this.device = device;
  }

  /** An empty disk with partitions. */
  static create(path: string): DiskFile {
    writeDisk(path);
    return DiskFile.#attach(path, partition);
  }

  /** A disk that was written. */
  static open(path: string): DiskFile {
    return DiskFile.#attach(path, showPartitions);
  }

  static #attach(path: string, show: (device: string) => void): DiskFile {
    const device = attachLoop(path);
    try {
      show(device);
      return new DiskFile(device);
    } catch (error) {
      detachLoop(device);
      throw error;
    }
  }

  partition(name: PartitionName): string {
    return `${this.device}p${partitionNames.indexOf(name) + 1}`;
  }

  /** The file systems on it must be unmounted. */
  [Symbol.dispose](): void {
    detachLoop(this.device);
  }
}

export function writeDisk(path: string, bytes?: Buffer): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, diskSectors * 512);
    if (bytes === undefined) return;
    for (const { at, data } of usedRuns(bytes)) writeSync(file, data, 0, data.length, at);
  } finally {
    closeSync(file);
  }
}
