import { closeSync, openSync, readSync } from 'node:fs';

/** One entry of a log that QEMU's driver `blklogwrites` has written: what went to the disk, in the order it did. */
export interface LogEntry {
  readonly kind: 'write' | 'flush' | 'discard';
  /** First sector of the disk. */
  readonly sector: number;
  readonly sectors: number;
  /** Force unit access: durable when it completes, whatever was flushed. */
  readonly fua: boolean;
  /** Where its data begin in the log. */
  readonly at: number;
}

export const sectorBytes = 512;

const magic = 0x6a736677736872n;
const flags = { flush: 1, fua: 2, discard: 4 };

/**
 * The entries of a log with sectors of 512 bytes up to its last entry. The format is that of the kernel's dm-log-writes: a
 * superblock of one sector (magic, version, number of entries, sector size), then for each entry one sector (sector, number of
 * sectors, flags, length of a mark) and its data.
 * Errors: Error when it is no such log.
 */
export function parseWriteLog(log: Buffer): LogEntry[] {
  if (log.readBigUInt64LE(0) !== magic || log.readUInt32LE(24) !== sectorBytes) {
    throw new Error('this is no log of block writes with sectors of 512 bytes');
  }
  const entries: LogEntry[] = [];
  let at = sectorBytes;
  while (at + sectorBytes <= log.length) {
    const found = entryAt(log, at);
    if (found === undefined) break;
    entries.push(found.entry);
    at = found.next;
  }
  return entries;
}

export function readWriteLog(path: string): { readonly log: Buffer; readonly entries: LogEntry[] } {
  const file = openSync(path, 'r');
  try {
    const tail = new LogTail(file);
    tail.count();
    const log = Buffer.from(new SharedArrayBuffer(tail.bytes));
    for (let at = 0; at < log.length; ) at += readSync(file, log, at, log.length - at, at);
    return { log, entries: parseWriteLog(log) };
  } finally {
    closeSync(file);
  }
}

/** Counts the entries of a log that is being written, from where it stopped the last time. */
export class LogTail {
  readonly #file: number;
  readonly #head = Buffer.alloc(sectorBytes);
  #at = sectorBytes;
  #count = 0;

  constructor(file: number) {
    this.#file = file;
  }

  /** Length of the log up to the last entry that was counted. */
  get bytes(): number {
    return this.#at;
  }

  count(): number {
    for (;;) {
      if (readSync(this.#file, this.#head, 0, sectorBytes, this.#at) < sectorBytes) return this.#count;
      const found = entryAt(this.#head, 0);
      if (found === undefined) return this.#count;
      this.#at += found.next;
      this.#count += 1;
    }
  }
}

/** A head of zeros is where nothing was written yet. */
function entryAt(log: Buffer, at: number): { readonly entry: LogEntry; readonly next: number } | undefined {
  const sector = Number(log.readBigUInt64LE(at));
  const sectors = Number(log.readBigUInt64LE(at + 8));
  const bits = Number(log.readBigUInt64LE(at + 16));
  if (sector === 0 && sectors === 0 && bits === 0) return undefined;
  const discard = (bits & flags.discard) !== 0;
  const kind = discard ? 'discard' : sectors === 0 ? 'flush' : 'write';
  const data = at + sectorBytes;
  const next = data + (kind === 'write' ? sectors * sectorBytes : 0);
  return { entry: { kind, sector, sectors, fua: (bits & flags.fua) !== 0, at: data }, next };
}
