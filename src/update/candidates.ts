import { column } from '#image/column.ts';
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

/** The most files of one slot that are looked at; more of them would only cost downloads. */
const mostFiles = 8_000_000;
const mostTextBytes = 1024 * 1024 * 1024;

/** Collects found files in typed arrays, and packs them in reading order: strays first, then by inode, which a disk likes. */
export class CandidateCollector {
  readonly #table: FileTable;
  readonly #entries = column.u32(mostFiles);
  readonly #sizes = column.f64(mostFiles);
  readonly #inodes = column.f64(mostFiles);
  readonly #ends = column.u32(mostFiles);
  readonly #text = column.u8(mostTextBytes);
  readonly #encoder = new TextEncoder();

  constructor(table: FileTable) {
    this.#table = table;
  }

  add({ path, entry, size, inode }: FoundFile): void {
    if (this.#sizes.length === mostFiles) return;
    if (entry < 0) {
      const room = this.#text.reserve(path.length * 3);
      this.#text.length += this.#encoder.encodeInto(path, room.subarray(this.#text.length)).written;
    }
    // -1 as an unsigned number; packed as a signed one.
    this.#entries.push(entry >>> 0);
    this.#sizes.push(size);
    this.#inodes.push(inode);
    this.#ends.push(this.#text.length);
  }

  pack(): CandidateData {
    const [found, sizesFound] = [this.#entries.filled(), this.#sizes.filled()];
    const [inodes, endsFound] = [this.#inodes.filled(), this.#ends.filled()];
    const isStray = (i: number): boolean => {
      const entry = (found[i] ?? 0) | 0;
      return entry < 0 || this.#table.resourceSize(this.#table.resource(entry)) !== sizesFound[i];
    };
    const byInode = (a: number, b: number): number => (inodes[a] ?? 0) - (inodes[b] ?? 0);
    const all = Uint32Array.from(found.keys());
    const strays = all.filter(isStray).sort(byInode);
    const order = [strays, all.filter((i) => !isStray(i)).sort(byInode)];
    const count = found.length;
    const entries = new Int32Array(new SharedArrayBuffer(count * 4));
    const ends = new Uint32Array(new SharedArrayBuffer(count * 4));
    const sizes = new Float64Array(new SharedArrayBuffer(count * 8));
    const text = new Uint8Array(new SharedArrayBuffer(this.#text.length));
    const textFound = this.#text.filled();
    let at = 0;
    let end = 0;
    for (const part of order) {
      for (const i of part) {
        entries[at] = (found[i] ?? 0) | 0;
        sizes[at] = sizesFound[i] ?? 0;
        const path = textFound.subarray(i === 0 ? 0 : (endsFound[i - 1] ?? 0), endsFound[i] ?? 0);
        text.set(path, end);
        end += path.length;
        ends[at] = end;
        at++;
      }
    }
    return { count, strays: strays.length, entries, ends, text, sizes };
  }
}

/** Path of candidate `i` below its slot's root. */
export function candidatePath(list: CandidateData, table: FileTable, i: number): string {
  const entry = list.entries[i] ?? -1;
  if (entry >= 0) return table.path(entry);
  const from = i === 0 ? 0 : (list.ends[i - 1] ?? 0);
  return Buffer.from(list.text.buffer, from, (list.ends[i] ?? 0) - from).toString();
}
