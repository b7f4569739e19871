import type { FileTable } from '#image/file-table.ts';

/**
 * Files of a slot that may hold content which the image wants, in the order in which they are read. Packed in shared
 * memory. The first `strays` candidates lie where the image has no file of that size; the others lie at the path of an
 * image entry with the same size, so that their content is probably that entry's.
 */
export interface CandidateData {
  readonly count: number;
  readonly strays: number;
  /** Image entry at the candidate's path, or -1. */
  readonly entries: Int32Array;
  /** For candidates without an entry: where their path ends in `text`; starts where the one before ends. */
  readonly ends: Uint32Array;
  readonly text: Uint8Array;
  /** Size in bytes when the slot was walked. */
  readonly sizes: Float64Array;
}

/** A file found while walking a slot. */
export interface FoundFile {
  /** Path below the slot's root, with a leading slash. */
  readonly path: string;
  /** Image entry (a regular file) at this path, or -1. */
  readonly entry: number;
  readonly size: number;
  readonly inode: number;
}

/** Collects found files and packs them in reading order: strays first, then by inode, which a disk likes. */
export class CandidateCollector {
  readonly #table: FileTable;
  readonly #files: FoundFile[] = [];

  constructor(table: FileTable) {
    this.#table = table;
  }

  add(file: FoundFile): void {
    this.#files.push(file);
  }

  pack(): CandidateData {
    const isStray = (file: FoundFile): boolean =>
      file.entry < 0 || this.#table.resourceSize(this.#table.resource(file.entry)) !== file.size;
    const strays = this.#files.filter(isStray).sort((a, b) => a.inode - b.inode);
    const likely = this.#files.filter((file) => !isStray(file)).sort((a, b) => a.inode - b.inode);
    const files = [...strays, ...likely];
    const entries = new Int32Array(new SharedArrayBuffer(files.length * 4));
    const ends = new Uint32Array(new SharedArrayBuffer(files.length * 4));
    const sizes = new Float64Array(new SharedArrayBuffer(files.length * 8));
    const texts: Buffer[] = [];
    let end = 0;
    files.forEach((file, i) => {
      entries[i] = file.entry;
      sizes[i] = file.size;
      if (file.entry < 0) {
        const bytes = Buffer.from(file.path);
        texts.push(bytes);
        end += bytes.length;
      }
      ends[i] = end;
    });
    const text = new Uint8Array(new SharedArrayBuffer(end));
    let at = 0;
    for (const bytes of texts) {
      text.set(bytes, at);
      at += bytes.length;
    }
    return { count: files.length, strays: strays.length, entries, ends, text, sizes };
  }
}

/** Path of candidate `i` below its slot's root. */
export function candidatePath(list: CandidateData, table: FileTable, i: number): string {
  const entry = list.entries[i] ?? -1;
  if (entry >= 0) return table.path(entry);
  const from = i === 0 ? 0 : (list.ends[i - 1] ?? 0);
  return Buffer.from(list.text.buffer, from, (list.ends[i] ?? 0) - from).toString();
}
