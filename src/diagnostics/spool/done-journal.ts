import { crc32 } from 'node:zlib';
import { AppendFile } from '#host/append-file.ts';
import { readAtMost, writeDurably } from '#host/durable-file.ts';

/** Ids that are remembered at least; the file has at most twice as many. */
const keepIds = 4096;
const maxBytes = 4 * 1024 * 1024;
const line = /^([0-9a-f-]{36}) ([0-9a-f]{64}) (\d{1,10}) ([0-9a-f]{8})$/;

interface Done {
  readonly sha256: string;
  readonly sequence: number;
}

/**
 * Remembers segments that are stored elsewhere, by id and SHA-256. It is written before a segment is removed, so that one
 * that a crash left behind is not sent again, and one that comes again later is known. Calls must not overlap.
 */
export class DoneJournal implements AsyncDisposable {
  readonly #path: string;
  readonly #digests: Map<string, Done>;
  #file: AppendFile | undefined;

  private constructor(path: string, digests: ReadonlyMap<string, Done>) {
    this.#path = path;
    this.#digests = new Map(digests);
  }

  /** Errors: those of the file system. */
  static async open(path: string): Promise<DoneJournal> {
    const text = (await readAtMost(path, maxBytes))?.toString('latin1') ?? '';
    const digests = new Map<string, Done>();
    // A line that a power cut tore, or that rotted, is passed over: then a segment is sent once more, which is harmless.
    for (const one of text.split('\n')) {
      const [, id = '', sha256 = '', sequence = '', sum] = line.exec(one) ?? [];
      if (sum === check(id, sha256, Number(sequence)))
        digests.set(id, { sha256, sequence: Number(sequence) });
    }
    return new DoneJournal(path, digests);
  }

  get digests(): ReadonlyMap<string, Done> {
    return this.#digests;
  }

  /** Durable when it resolves. Errors: those of the file system. */
  async add(id: string, sha256: string, sequence: number): Promise<void> {
    this.#digests.set(id, { sha256, sequence });
    if (this.#file === undefined || this.#digests.size > 2 * keepIds) await this.#rewrite();
    else await this.#file.append(lineOf(id, sha256, sequence));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
  }

  /** Leaves out torn lines, and the oldest beyond what is kept. */
  async #rewrite(): Promise<void> {
    await this[Symbol.asyncDispose]();
    for (const id of this.#digests.keys()) {
      if (this.#digests.size <= keepIds) break;
      this.#digests.delete(id);
    }
    const text = [...this.#digests]
      .map(([id, { sha256, sequence }]) => lineOf(id, sha256, sequence))
      .join('');
    await writeDurably(this.#path, text, 0o600);
    this.#file = await AppendFile.reopen(this.#path, text.length);
  }
}

function lineOf(id: string, sha256: string, sequence: number): string {
  return `${id} ${sha256} ${sequence} ${check(id, sha256, sequence)}\n`;
}

function check(id: string, sha256: string, sequence: number): string {
  return crc32(`${id} ${sha256} ${sequence}`).toString(16).padStart(8, '0');
}
