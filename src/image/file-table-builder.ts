import type { Sha256 } from '#domain/digest.ts';
import { emptySha256 } from '#domain/digest.ts';
import { type EntryKind, entryKinds, FileTable } from './file-table.ts';
import { ImageError } from './image-error.ts';
import { findEntry, hashBytes, insertEntry, tableSize } from './path-index.ts';

/** Caps on what an image may hold, so that a hostile one cannot exhaust the ECU. */
export const imageLimits = {
  /** Entries of all kinds together. */
  entries: 4_000_000,
  /** Bytes of one path or symlink target (PATH_MAX of Linux, without its NUL). */
  pathBytes: 4095,
  /** Bytes of one name in a path (NAME_MAX of Linux). */
  nameBytes: 255,
  /** Levels of directories. */
  depth: 256,
  /** Bytes of all paths and targets together. */
  textBytes: 1024 * 1024 * 1024,
} as const;

/** A regular file as an image's description tells it. */
export interface RegularEntry {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sha256: Sha256;
  /** Uncompressed bytes; undefined when the image does not tell. */
  readonly size: number | undefined;
  /** Names the hard-link group, when the file shares its inode with others. */
  readonly inode: string | undefined;
  readonly compressed: boolean;
}

/** A typed array that grows. Doubling keeps appends cheap; `take` gives an exact copy in shared memory. */
class Column<T extends Uint8Array | Uint16Array | Uint32Array | Float64Array> {
  #array: T;
  readonly #make: (bytes: SharedArrayBuffer) => T;
  length = 0;

  constructor(make: (bytes: SharedArrayBuffer) => T, capacity = 1024) {
    this.#make = make;
    const bytesPerElement = make(new SharedArrayBuffer(0)).BYTES_PER_ELEMENT;
    this.#array = make(new SharedArrayBuffer(capacity * bytesPerElement));
  }

  get array(): T {
    return this.#array;
  }

  reserve(extra: number): T {
    if (this.length + extra > this.#array.length) {
      const size = Math.max(this.#array.length * 2, this.length + extra);
      const grown = this.#make(new SharedArrayBuffer(size * this.#array.BYTES_PER_ELEMENT));
      grown.set(this.#array.subarray(0, this.length));
      this.#array = grown;
    }
    return this.#array;
  }

  push(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  take(): T {
    const exact = this.#make(new SharedArrayBuffer(this.length * this.#array.BYTES_PER_ELEMENT));
    exact.set(this.#array.subarray(0, this.length));
    return exact;
  }
}

const u8 = (): Column<Uint8Array> => new Column((bytes) => new Uint8Array(bytes));
const u16 = (): Column<Uint16Array> => new Column((bytes) => new Uint16Array(bytes));
const u32 = (): Column<Uint32Array> => new Column((bytes) => new Uint32Array(bytes));
const f64 = (): Column<Float64Array> => new Column((bytes) => new Float64Array(bytes));

/**
 * Collects the entries of an image and checks what holds for every format: absolute plain paths, caps, no path twice,
 * nothing below a file or symlink. Add directories, then symlinks, then regulars, then `finish`.
 *
 * Errors: ImageError with path_not_absolute, path_traversal, path_refused, path_duplicated, path_below_non_directory,
 * too_many_entries, metadata_malformed (two sizes for one digest).
 */
export class FileTableBuilder {
  readonly #kinds = u8();
  readonly #paths = u8();
  readonly #pathEnds = u32();
  readonly #targets = u8();
  readonly #modes = u16();
  readonly #uids = u32();
  readonly #gids = u32();
  readonly #refs = u32();
  readonly #groups = u32();
  readonly #digests = u8();
  readonly #sizes = f64();
  readonly #compressed = u8();
  readonly #resourceEntries = u32();
  #pathSlots: Uint32Array = new Uint32Array(tableSize(1024));
  #digestSlots: Uint32Array = new Uint32Array(tableSize(1024));
  readonly #groupNumbers = new Map<string, number>();
  readonly #groupSizes: number[] = [0];
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  addDirectory(path: string, mode: number, uid: number, gid: number): void {
    this.#addEntry(entryKinds.directory, path, mode, uid, gid, 0, 0);
  }

  addSymlink(path: string, target: string, uid: number, gid: number): void {
    if (target === '' || target.includes('\0')) {
      throw new ImageError(
        'path_refused',
        `symlink ${JSON.stringify(path)} has an empty target or a NUL in it`,
      );
    }
    const room = this.#targets.reserve(target.length * 3);
    const from = this.#targets.length;
    const { written } = this.#encoder.encodeInto(target, room.subarray(from));
    if (written > imageLimits.pathBytes) {
      throw new ImageError('path_refused', `symlink ${JSON.stringify(path)} has a target over 4095 bytes`);
    }
    this.#targets.length += written;
    this.#addEntry(entryKinds.symlink, path, 0o777, uid, gid, from, written);
  }

  addRegular(file: RegularEntry): void {
    const resource = this.#addResource(file);
    const group = file.inode === undefined ? 0 : this.#groupOf(file);
    const entry = this.#addEntry(
      entryKinds.regular,
      file.path,
      file.mode,
      file.uid,
      file.gid,
      resource,
      group,
    );
    if (resource === this.#resourceEntries.length) this.#resourceEntries.push(entry);
  }

  /** Checks what needs all entries, and packs them. The builder is spent afterwards. */
  finish(): FileTable {
    this.#checkParents();
    const pathBytes = this.#paths.length;
    const text = new Uint8Array(new SharedArrayBuffer(pathBytes + this.#targets.length));
    text.set(this.#paths.array.subarray(0, pathBytes));
    text.set(this.#targets.array.subarray(0, this.#targets.length), pathBytes);
    const refs = this.#refs.take();
    const groups = this.#groups.take();
    const kinds = this.#kinds.take();
    for (let i = 0; i < kinds.length; i++) {
      if (kinds[i] === entryKinds.symlink) refs[i] = (refs[i] ?? 0) + pathBytes;
      // A group of one is an ordinary file: its other names lie outside the image.
      else if (kinds[i] === entryKinds.regular && (this.#groupSizes[groups[i] ?? 0] ?? 0) < 2) groups[i] = 0;
    }
    return new FileTable({
      entryCount: kinds.length,
      resourceCount: this.#sizes.length,
      groupCount: this.#groupNumbers.size,
      kinds,
      text,
      pathEnds: this.#pathEnds.take(),
      modes: this.#modes.take(),
      uids: this.#uids.take(),
      gids: this.#gids.take(),
      refs,
      groups,
      digests: this.#digests.take(),
      sizes: this.#sizes.take(),
      compressed: this.#compressed.take(),
      resourceEntries: this.#resourceEntries.take(),
      pathSlots: shared(this.#pathSlots),
      digestSlots: shared(this.#digestSlots),
    });
  }

  #addEntry(
    kind: EntryKind,
    path: string,
    mode: number,
    uid: number,
    gid: number,
    ref: number,
    group: number,
  ): number {
    checkPath(path);
    const entry = this.#kinds.length;
    if (entry >= imageLimits.entries || this.#paths.length > imageLimits.textBytes) {
      throw new ImageError('too_many_entries', `image has more than ${imageLimits.entries} entries`);
    }
    const from = this.#paths.length;
    const room = this.#paths.reserve(path.length * 3);
    const { written } = this.#encoder.encodeInto(path, room.subarray(from));
    if (written > imageLimits.pathBytes) {
      throw new ImageError('path_refused', `path over 4095 bytes: ${JSON.stringify(path.slice(0, 80))}…`);
    }
    const to = from + written;
    this.#growPathSlots();
    const isNew = insertEntry(this.#pathSlots, hashBytes(room, from, to), entry, (other) =>
      this.#samePath(other, room, from, to),
    );
    if (!isNew) {
      throw new ImageError('path_duplicated', `path appears twice: ${JSON.stringify(path)}`);
    }
    this.#paths.length = to;
    this.#pathEnds.push(to);
    this.#kinds.push(kind);
    this.#modes.push(mode);
    this.#uids.push(uid);
    this.#gids.push(gid);
    this.#refs.push(ref);
    this.#groups.push(group);
    return entry;
  }

  #addResource(file: RegularEntry): number {
    const digest = Buffer.from(file.sha256, 'hex');
    const size = file.sha256 === emptySha256 ? 0 : (file.size ?? -1);
    if (this.#digestSlots.length < (this.#sizes.length + 1) * 2) {
      this.#digestSlots = new Uint32Array(tableSize((this.#sizes.length + 1) * 2));
      for (let r = 0; r < this.#sizes.length; r++) {
        insertEntry(this.#digestSlots, this.#digestHash(r), r, () => false);
      }
    }
    const fresh = this.#sizes.length;
    const same = (other: number): boolean =>
      digest.equals(this.#digests.array.subarray(other * 32, other * 32 + 32));
    if (insertEntry(this.#digestSlots, digest.readUInt32BE(0), fresh, same)) {
      this.#digests.reserve(32).set(digest, this.#digests.length);
      this.#digests.length += 32;
      this.#sizes.push(size);
      this.#compressed.push(file.compressed ? 1 : 0);
      return fresh;
    }
    const resource = findEntry(this.#digestSlots, digest.readUInt32BE(0), same);
    const known = this.#sizes.array[resource] ?? -1;
    if (size >= 0 && known >= 0 && size !== known) {
      throw new ImageError(
        'metadata_malformed',
        `digest ${file.sha256} is given with two sizes, ${known} and ${size}`,
      );
    }
    if (known < 0) this.#sizes.array[resource] = size;
    if (file.compressed) this.#compressed.array[resource] = 1;
    return resource;
  }

  /** Files of one group share inode, content and metadata; the same number with other values is another group. */
  #groupOf(file: RegularEntry): number {
    const key = `${file.inode}/${file.sha256}/${file.mode}/${file.uid}/${file.gid}`;
    let number = this.#groupNumbers.get(key);
    if (number === undefined) {
      number = this.#groupNumbers.size + 1;
      this.#groupNumbers.set(key, number);
      this.#groupSizes.push(0);
    }
    this.#groupSizes[number] = (this.#groupSizes[number] ?? 0) + 1;
    return number;
  }

  /** Every path's parent, where the image names it, is a directory. A parent that it does not name is made. */
  #checkParents(): void {
    for (let entry = 0; entry < this.#kinds.length; entry++) {
      const from = entry === 0 ? 0 : (this.#pathEnds.array[entry - 1] ?? 0);
      const to = this.#pathEnds.array[entry] ?? 0;
      const bytes = this.#paths.array;
      for (let slash = to - 1; slash > from; slash--) {
        if (bytes[slash] !== 0x2f) continue;
        const parent = findEntry(this.#pathSlots, hashBytes(bytes, from, slash), (other) =>
          this.#samePath(other, bytes, from, slash),
        );
        if (parent === -1) continue;
        if (this.#kinds.array[parent] === entryKinds.directory) break;
        const path = this.#decoder.decode(bytes.slice(from, to));
        const above = this.#decoder.decode(bytes.slice(from, slash));
        throw new ImageError(
          'path_below_non_directory',
          `${JSON.stringify(path)} lies below ${JSON.stringify(above)}, which is a file or a symlink`,
        );
      }
    }
  }

  #samePath(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = entry === 0 ? 0 : (this.#pathEnds.array[entry - 1] ?? 0);
    const end = this.#pathEnds.array[entry] ?? 0;
    if (end - start !== to - from) return false;
    const own = this.#paths.array;
    for (let i = 0; i < end - start; i++) if (own[start + i] !== bytes[from + i]) return false;
    return true;
  }

  #growPathSlots(): void {
    const count = this.#kinds.length;
    if (this.#pathSlots.length >= (count + 1) * 2) return;
    this.#pathSlots = new Uint32Array(tableSize((count + 1) * 2));
    for (let entry = 0; entry < count; entry++) {
      const from = entry === 0 ? 0 : (this.#pathEnds.array[entry - 1] ?? 0);
      const hash = hashBytes(this.#paths.array, from, this.#pathEnds.array[entry] ?? 0);
      insertEntry(this.#pathSlots, hash, entry, () => false);
    }
  }

  #digestHash(resource: number): number {
    const at = resource * 32;
    const digests = this.#digests.array;
    return new DataView(digests.buffer, digests.byteOffset + at, 4).getUint32(0);
  }
}

function shared(array: Uint32Array): Uint32Array {
  const copy = new Uint32Array(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

/** Refuses paths that are not absolute, not normal, or not nameable on Linux. */
export function checkPath(path: string): void {
  const shown = (): string => JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);
  if (!path.startsWith('/')) throw new ImageError('path_not_absolute', `path is not absolute: ${shown()}`);
  if (path.includes('\0')) throw new ImageError('path_refused', `path holds a NUL: ${shown()}`);
  if (!path.isWellFormed()) throw new ImageError('path_refused', `path is not valid Unicode: ${shown()}`);
  const names = path.split('/');
  if (names.length > imageLimits.depth) {
    throw new ImageError('path_refused', `path is deeper than ${imageLimits.depth} levels: ${shown()}`);
  }
  for (let i = 1; i < names.length; i++) {
    const name = names[i] ?? '';
    if (name === '' || name === '.' || name === '..') {
      const code = name === '..' ? 'path_traversal' : 'path_refused';
      throw new ImageError(code, `path has an empty, "." or ".." part: ${shown()}`);
    }
    if (name.length * 3 > imageLimits.nameBytes && Buffer.byteLength(name) > imageLimits.nameBytes) {
      throw new ImageError('path_refused', `path has a name over 255 bytes: ${shown()}`);
    }
  }
}
