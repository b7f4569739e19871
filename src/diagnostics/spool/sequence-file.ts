import { crc32 } from 'node:zlib';
import { readAtMost, writeDurably } from '#host/durable-file.ts';

/** Numbers that are reserved with one write. */
const step = 64;
const pattern = /^(\d{1,10}) ([0-9a-f]{8})$/;

/**
 * Numbers that never repeat, whatever is removed from disk: a whole range is reserved durably before its first number is
 * given out, in two files, so that one may be torn. Numbers of a range that a crash cut off are left out.
 */
export class SequenceFile {
  readonly #paths: readonly string[];
  #last: number;
  #reserved: number;

  private constructor(paths: readonly string[], last: number) {
    this.#paths = paths;
    this.#last = last;
    this.#reserved = last;
  }

  /**
   * `atLeast` is the highest number that is known to be used. When there are files and none of them can be read, numbers
   * go on from the seconds since 1970, which no spool reaches by counting. Errors: those of the file system.
   */
  static async open(path: string, atLeast: number, wallMs: number): Promise<SequenceFile> {
    const paths = [path, `${path}.copy`];
    const texts = await Promise.all(
      paths.map(async (one) => (await readAtMost(one, 32))?.toString('latin1').trim()),
    );
    const numbers = texts.flatMap((text) => numberIn(text) ?? []);
    const isLost = numbers.length === 0 && texts.some((text) => text !== undefined);
    return new SequenceFile(
      paths,
      Math.max(atLeast, ...numbers, ...(isLost ? [Math.floor(wallMs / 1000)] : [])),
    );
  }

  /** The number that `next` gives next. */
  get upcoming(): number {
    return this.#last + 1;
  }

  /** Errors: those of the file system; no number is used up then. */
  async next(): Promise<number> {
    if (this.#last >= this.#reserved) {
      const reserved = this.#last + step;
      const text = String(reserved);
      for (const path of this.#paths) await writeDurably(path, `${text} ${check(text)}\n`, 0o600);
      this.#reserved = reserved;
    }
    return ++this.#last;
  }
}

function numberIn(text: string | undefined): number | undefined {
  const [, digits = '', sum] = pattern.exec(text ?? '') ?? [];
  return sum === check(digits) ? Number(digits) : undefined;
}

function check(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
