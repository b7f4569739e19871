import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writevSync,
} from 'node:fs';
import type { Sha256 } from '#domain/digest.ts';

/** One content as it came over the wire. */
export interface Arrival {
  readonly sha256: Sha256;
  readonly encoding: 'identity' | 'zstd';
  readonly bytes: Uint8Array;
}

/** Digest, encoding, length: 32 + 1 + 4 bytes. */
const headerBytes = 37;
/** A file of the log that has grown to this is followed by a new one. */
const fileBytes = 4 * 1024 * 1024;
/** Larger leftovers are not ours. */
const maxFileBytes = 64 * 1024 * 1024;

/**
 * Keeps small downloads from the moment they have arrived until a worker has placed them, so that a killed daemon does
 * not ask for them again. One short synchronous write each; files are removed as soon as everything in them is placed,
 * mostly before the kernel has written them to disk. Content is verified when it is placed, so that a torn record does
 * no harm.
 */
export class ArrivalLog implements Disposable {
  readonly #directory: string;
  #number: number;
  #fd: number | undefined;
  #size = 0;
  readonly #waiting = new Map<number, number>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    this.#number = Math.max(0, ...readdirSync(directory).map(Number).filter(Number.isInteger)) + 1;
  }

  /** What earlier runs left behind, oldest first; each file is removed when `placed` has been called for all of it. */
  *leftovers(): Generator<{ readonly arrival: Arrival; readonly ticket: number }> {
    const names = readdirSync(this.#directory).map(Number).filter(Number.isInteger);
    for (const number of names.sort((a, b) => a - b)) {
      if (number === this.#number) continue;
      const path = this.#path(number);
      const arrivals = statSync(path).size > maxFileBytes ? [] : [...records(readFileSync(path))];
      if (arrivals.length === 0) rmSync(path, { force: true });
      this.#waiting.set(number, arrivals.length);
      for (const arrival of arrivals) yield { arrival, ticket: number };
    }
  }

  /** Keeps an arrival; the ticket is for `placed`. A full disk only costs what would be kept. */
  keep(arrival: Arrival): number {
    try {
      this.#write(arrival);
    } catch {
      // The slot's own files come first; whatever is wrong with the disk, they will tell.
    }
    this.#waiting.set(this.#number, (this.#waiting.get(this.#number) ?? 0) + 1);
    return this.#number;
  }

  #write(arrival: Arrival): void {
    if (this.#fd === undefined || this.#size > fileBytes) this.#next();
    const header = Buffer.alloc(headerBytes);
    header.write(arrival.sha256, 'hex');
    header.writeUInt8(arrival.encoding === 'zstd' ? 1 : 0, 32);
    header.writeUInt32LE(arrival.bytes.length, 33);
    if (this.#fd !== undefined) writevSync(this.#fd, [header, arrival.bytes]);
    this.#size += headerBytes + arrival.bytes.length;
  }

  /** The arrival lies in the standby slot, or is of no use. */
  placed(ticket: number): void {
    const left = (this.#waiting.get(ticket) ?? 1) - 1;
    this.#waiting.set(ticket, left);
    if (left === 0 && ticket !== this.#number) this.#remove(ticket);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #next(): void {
    const full = this.#number;
    if (this.#fd !== undefined) {
      closeSync(this.#fd);
      this.#number++;
      if (this.#waiting.get(full) === 0) this.#remove(full);
    }
    this.#fd = openSync(this.#path(this.#number), 'w', 0o600);
    this.#size = 0;
  }

  #remove(number: number): void {
    this.#waiting.delete(number);
    rmSync(this.#path(number), { force: true });
  }

  #path(number: number): string {
    return `${this.#directory}/${number}`;
  }
}

/** The whole records of a file; a torn one ends it. */
function* records(file: Buffer): Generator<Arrival> {
  for (let at = 0; at + headerBytes <= file.length; ) {
    const length = file.readUInt32LE(at + 33);
    const start = at + headerBytes;
    if (start + length > file.length) return;
    yield {
      sha256: file.toString('hex', at, at + 32) as Sha256,
      encoding: file[at + 32] === 1 ? 'zstd' : 'identity',
      // A copy of its own, so that it can be moved to a worker.
      bytes: Uint8Array.from(file.subarray(start, start + length)),
    };
    at = start + length;
  }
}
