import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
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
 * not ask for them again. Files are removed as soon as everything in them is placed, mostly before the kernel has written
 * them to disk. Content is verified when it is placed, so that a torn record does no harm.
 */
export class ArrivalLog implements AsyncDisposable {
  readonly #directory: string;
  #number = 1;
  #file: FileHandle | undefined;
  #size = 0;
  /** Records that wait for the write that is under way; they go into the next one together. */
  #pending: Uint8Array[] = [];
  /** The write that is under way; gives the number of its file. */
  #writing: Promise<number> | undefined;
  readonly #waiting = new Map<number, number>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<ArrivalLog> {
    const log = new ArrivalLog(directory);
    await mkdir(directory, { recursive: true });
    log.#number = Math.max(0, ...(await log.#numbers())) + 1;
    return log;
  }

  /** What earlier runs left behind, oldest first; each file is removed when `placed` has been called for all of it. */
  async *leftovers(): AsyncGenerator<{ readonly arrival: Arrival; readonly ticket: number }> {
    for (const number of await this.#numbers()) {
      if (number === this.#number) continue;
      const path = this.#path(number);
      const arrivals = (await stat(path)).size > maxFileBytes ? [] : [...records(await readFile(path))];
      if (arrivals.length === 0) await rm(path, { force: true });
      this.#waiting.set(number, arrivals.length);
      for (const arrival of arrivals) yield { arrival, ticket: number };
    }
  }

  /**
   * Keeps an arrival; the ticket is for `placed`. Not synchronous: the kernel makes writers wait when much is unwritten,
   * and the main thread has Status to answer. A full disk only costs what would be kept.
   */
  async keep(arrival: Arrival): Promise<number> {
    const header = Buffer.alloc(headerBytes);
    header.write(arrival.sha256, 'hex');
    header.writeUInt8(arrival.encoding === 'zstd' ? 1 : 0, 32);
    header.writeUInt32LE(arrival.bytes.length, 33);
    this.#pending.push(header, arrival.bytes);
    // The write under way does not hold it; the one after that does.
    await this.#writing;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    const number = await this.#writing;
    this.#waiting.set(number, (this.#waiting.get(number) ?? 0) + 1);
    return number;
  }

  /** The arrival lies in the standby slot, or is of no use. */
  async placed(ticket: number): Promise<void> {
    const left = (this.#waiting.get(ticket) ?? 1) - 1;
    this.#waiting.set(ticket, left);
    if (left === 0 && ticket !== this.#number) await this.#remove(ticket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(): Promise<number> {
    try {
      if (this.#file === undefined || this.#size > fileBytes) await this.#next();
      const batch = this.#pending;
      this.#pending = [];
      await this.#file?.writev(batch);
      this.#size += batch.reduce((sum, bytes) => sum + bytes.length, 0);
    } catch {
      // The slot's own files come first; whatever is wrong with the disk, they will tell.
      this.#pending = [];
    }
    return this.#number;
  }

  async #next(): Promise<void> {
    const full = this.#number;
    if (this.#file !== undefined) {
      await this.#file.close();
      this.#number++;
      if (this.#waiting.get(full) === 0) await this.#remove(full);
    }
    this.#file = await open(this.#path(this.#number), 'w', 0o600);
    this.#size = 0;
  }

  async #remove(number: number): Promise<void> {
    this.#waiting.delete(number);
    await rm(this.#path(number), { force: true });
  }

  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#directory);
    return names
      .map(Number)
      .filter(Number.isInteger)
      .sort((a, b) => a - b);
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
