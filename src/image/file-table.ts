import type { Sha256 } from '#domain/digest.ts';
import { findEntry, hashBytes } from './path-index.ts';

/** Kinds of entries, as stored in the table. */
export const entryKinds = { directory: 0, symlink: 1, regular: 2 } as const;
export type EntryKind = (typeof entryKinds)[keyof typeof entryKinds];

/**
 * The packed form of a file table: plain typed arrays over shared memory, so that worker threads read the same bytes
 * and nothing is held twice. Entry order is: directories, symlinks, regulars, each in the image's order.
 */
export interface FileTableData {
  readonly entryCount: number;
  readonly resourceCount: number;
  /** Number of hard-link groups; groups are numbered from 1. */
  readonly groupCount: number;
  readonly kinds: Uint8Array;
  /** UTF-8 of all paths, and after them of all symlink targets. */
  readonly text: Uint8Array;
  /** Entry i's path is text[pathEnds[i-1] .. pathEnds[i]]. */
  readonly pathEnds: Uint32Array;
  readonly modes: Uint16Array;
  readonly uids: Uint32Array;
  readonly gids: Uint32Array;
  /** Regular: resource number. Symlink: offset of its target in `text`. Directory: 0. */
  readonly refs: Uint32Array;
  /** Regular: hard-link group, 0 for none. Symlink: length of its target. */
  readonly groups: Uint32Array;
  /** 32 bytes per resource. */
  readonly digests: Uint8Array;
  /** Uncompressed size in bytes; -1 when the image does not tell. */
  readonly sizes: Float64Array;
  /** 1 when the image holds the resource zstd-compressed. */
  readonly compressed: Uint8Array;
  /** First entry that has the resource. */
  readonly resourceEntries: Uint32Array;
  readonly pathSlots: Uint32Array;
  readonly digestSlots: Uint32Array;
}

const encoder = new TextEncoder();

/**
 * All files of an image: what has to lie where in a slot. Read-only; about 100 bytes an entry.
 * Paths are absolute and do not end in a slash; "/" itself is not an entry.
 */
export class FileTable {
  readonly data: FileTableData;
  readonly #text: Buffer;
  readonly #scratch = new Uint8Array(3 * 4096);

  constructor(data: FileTableData) {
    this.data = data;
    this.#text = Buffer.from(data.text.buffer, data.text.byteOffset, data.text.byteLength);
  }

  get entryCount(): number {
    return this.data.entryCount;
  }

  get resourceCount(): number {
    return this.data.resourceCount;
  }

  kind(entry: number): EntryKind {
    return (this.data.kinds[entry] ?? 0) as EntryKind;
  }

  path(entry: number): string {
    const from = entry === 0 ? 0 : (this.data.pathEnds[entry - 1] ?? 0);
    return this.#text.toString('utf8', from, this.data.pathEnds[entry] ?? 0);
  }

  /** Permission bits including setuid, setgid and sticky; no file type. */
  mode(entry: number): number {
    return this.data.modes[entry] ?? 0;
  }

  uid(entry: number): number {
    return this.data.uids[entry] ?? 0;
  }

  gid(entry: number): number {
    return this.data.gids[entry] ?? 0;
  }

  /** Where a symlink points; only for symlinks. */
  target(entry: number): string {
    const from = this.data.refs[entry] ?? 0;
    return this.#text.toString('utf8', from, from + (this.data.groups[entry] ?? 0));
  }

  /** Resource number of a regular file. */
  resource(entry: number): number {
    return this.data.refs[entry] ?? 0;
  }

  /** Hard-link group of a regular file, from 1; 0 when it has an inode of its own. */
  group(entry: number): number {
    return this.kind(entry) === entryKinds.regular ? (this.data.groups[entry] ?? 0) : 0;
  }

  /** Uncompressed size in bytes, or -1 when the image does not tell. */
  resourceSize(resource: number): number {
    return this.data.sizes[resource] ?? -1;
  }

  resourceHex(resource: number): Sha256 {
    const digest = this.data.digests.subarray(resource * 32, resource * 32 + 32);
    return Buffer.from(digest.buffer, digest.byteOffset, 32).toString('hex') as Sha256;
  }

  isCompressed(resource: number): boolean {
    return this.data.compressed[resource] === 1;
  }

  /** The first entry that has this resource. */
  resourceEntry(resource: number): number {
    return this.data.resourceEntries[resource] ?? 0;
  }

  /** The entry at this absolute path, or -1. */
  find(path: string): number {
    const { read, written } = encoder.encodeInto(path, this.#scratch);
    if (read < path.length) return -1;
    const key = this.#scratch.subarray(0, written);
    return findEntry(this.data.pathSlots, hashBytes(key, 0, written), (entry) => this.#hasPath(entry, key));
  }

  /** The resource with this digest (32 raw bytes), or -1. */
  findDigest(digest: Uint8Array): number {
    const view = new DataView(digest.buffer, digest.byteOffset, 32);
    return findEntry(this.data.digestSlots, view.getUint32(0), (resource) => {
      const from = resource * 32;
      for (let i = 0; i < 32; i++) if (this.data.digests[from + i] !== digest[i]) return false;
      return true;
    });
  }

  #hasPath(entry: number, key: Uint8Array): boolean {
    const from = entry === 0 ? 0 : (this.data.pathEnds[entry - 1] ?? 0);
    const to = this.data.pathEnds[entry] ?? 0;
    if (to - from !== key.length) return false;
    const text = this.data.text;
    for (let i = 0; i < key.length; i++) if (text[from + i] !== key[i]) return false;
    return true;
  }
}
