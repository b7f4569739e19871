import { readAtMost, writeDurably } from '#host/durable-file.ts';

/** Numbers that are reserved with one write. */
const step = 64;

/**
 * Numbers that never repeat, whatever is removed from disk: a whole range is reserved durably before its first number is
 * given out. Numbers of a range that a crash cut off are left out. Errors: those of the file system.
 */
export class SequenceFile {
  readonly #path: string;
  #last: number;
  #reserved: number;

  private constructor(path: string, last: number) {
    this.#path = path;
    this.#last = last;
    this.#reserved = last;
  }

  /** `atLeast` is the highest number that is known to be used, should the file be lost. */
  static async open(path: string, atLeast: number): Promise<SequenceFile> {
    const text = (await readAtMost(path, 32))?.toString('utf8').trim() ?? '';
    const stored = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    return new SequenceFile(path, Math.max(stored, atLeast));
  }

  async next(): Promise<number> {
    if (this.#last >= this.#reserved) {
      await writeDurably(this.#path, String(this.#last + step), 0o600);
      this.#reserved = this.#last + step;
    }
    return ++this.#last;
  }
}
