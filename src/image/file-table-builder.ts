import { emptySha256, type Sha256 } from '#domain/digest.ts';
import { column } from './column.ts';
import { type EntryKind, entryKinds, FileTable } from './file-table.ts';
import { ImageError } from './image-error.ts';
import { findEntry, hashBytes, insertEntry, makeSlots } from './path-index.ts';
import { checkUnicode, PathScan, pathLimits } from './path-scan.ts';

/** Caps on what an image may hold, so that a hostile one cannot exhaust the ECU. */
export const imageLimits = {
  /** Entries of all kinds together. */
  entries: 4_000_000,
  ...pathLimits,
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

/**
 * Collects the entries of an image and checks what holds for every format: absolute plain paths, caps, no path twice,
 * nothing below a file or symlink. Add directories, then symlinks, then regulars, then `finish`. A directory that is
 * not named, but needed, is made; so "/" is never named.
 *
 * Errors: ImageError with path_not_absolute, path_traversal, path_refused, path_duplicated, path_below_non_directory,
 * too_many_entries, metadata_malformed (a digest with two sizes, or a size that its digest cannot have).
 */
export class FileTableBuilder {
  readonly #kinds = column.u8(imageLimits.entries);
  /** UTF-8 of all paths; at the end the targets come behind them. */
  readonly #paths = column.u8(imageLimits.textBytes);
  readonly #pathEnds = column.u32(imageLimits.entries);
  /** Hash of each path: what does not differ here is compared byte by byte. */
  readonly #hashes = column.u32(imageLimits.entries);
  readonly #targets = column.u8(imageLimits.textBytes);
  readonly #modes = column.u16(imageLimits.entries);
  readonly #uids = column.u32(imageLimits.entries);
  readonly #gids = column.u32(imageLimits.entries);
  readonly #refs = column.u32(imageLimits.entries);
  readonly #groups = column.u32(imageLimits.entries);
  readonly #digests = column.u8(imageLimits.entries * 32);
  readonly #sizes = column.f64(imageLimits.entries);
  readonly #compressed = column.u8(imageLimits.entries);
  readonly #resourceEntries = column.u32(imageLimits.entries);
  #pathSlots = makeSlots(1024);
  #digestSlots = makeSlots(1024);
  readonly #groupNumbers = new Map<string, number>();
  readonly #groupSizes: number[] = [0];
  /** Entries whose parent was not named when they were added. */
  readonly #orphans: number[] = [];
  readonly #scan = new PathScan();
  readonly #digest = Buffer.alloc(32);
  readonly #encoder = new TextEncoder();

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
    checkUnicode(target);
    this.#requireRoom(target);
    const room = this.#targets.reserve(target.length * 3);
    const from = this.#targets.length;
    const { written } = this.#encoder.encodeInto(target, room.subarray(from));
    if (written > imageLimits.pathBytes) {
      throw new ImageError('path_refused', `symlink ${JSON.stringify(path)} has a target over 4095 bytes`);
    }
    this.#targets.length += written;
    this.#addEntry(entryKinds.symlink, path, 0o777, uid, gid, from, written);
  }

  /** Returns the resource number of the file's content. */
  addRegular(file: RegularEntry): number {
    const resource = this.#addResource(file);
    const group = file.inode === undefined ? 0 : this.#groupOf(file);
    const { path, mode, uid, gid } = file;
    const entry = this.#addEntry(entryKinds.regular, path, mode, uid, gid, resource, group);
    if (resource === this.#resourceEntries.length) this.#resourceEntries.push(entry);
    return resource;
  }

  /** Checks what needs all entries, and packs them without copying. The builder is spent afterwards. */
  finish(): FileTable {
    this.#checkOrphans();
    const pathBytes = this.#paths.length;
    const targets = this.#targets.filled();
    this.#paths.reserve(targets.length).set(targets, pathBytes);
    this.#paths.length += targets.length;
    const refs = this.#refs.filled();
    const groups = this.#groups.filled();
    const kinds = this.#kinds.filled();
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
      text: this.#paths.filled(),
      pathEnds: this.#pathEnds.filled(),
      modes: this.#modes.filled(),
      uids: this.#uids.filled(),
      gids: this.#gids.filled(),
      refs,
      groups,
      digests: this.#digests.filled(),
      sizes: this.#sizes.filled(),
      compressed: this.#compressed.filled(),
      resourceEntries: this.#resourceEntries.filled(),
      pathSlots: this.#pathSlots,
      digestSlots: this.#digestSlots,
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
    checkUnicode(path);
    this.#requireRoom(path);
    const entry = this.#kinds.length;
    const from = this.#paths.length;
    const room = this.#paths.reserve(path.length * 3);
    const to = from + this.#encoder.encodeInto(path, room.subarray(from)).written;
    const scan = this.#scan;
    scan.scan(path, room, from, to);
    this.#growPathSlots();
    const { hash } = scan;
    if (!insertEntry(this.#pathSlots, hash, entry, (other) => this.#hasPath(other, hash, room, from, to))) {
      throw new ImageError('path_duplicated', `path appears twice: ${JSON.stringify(path)}`);
    }
    this.#paths.length = to;
    this.#pathEnds.push(to);
    this.#hashes.push(hash);
    this.#kinds.push(kind);
    this.#modes.push(mode);
    this.#uids.push(uid);
    this.#gids.push(gid);
    this.#refs.push(ref);
    this.#groups.push(group);
    if (scan.parentLength > 0 && !this.#isBelowDirectory(entry, scan.parentHash, from, scan.parentLength)) {
      this.#orphans.push(entry);
    }
    return entry;
  }

  #requireRoom(text: string): void {
    const { entries, textBytes, pathBytes } = imageLimits;
    if (text.length > pathBytes) {
      throw new ImageError('path_refused', `path over 4095 bytes: ${JSON.stringify(text.slice(0, 80))}…`);
    }
    // Both kinds of text end up in one array, whose last path may take its longest.
    const bytes = this.#paths.length + this.#targets.length + 3 * pathBytes;
    if (this.#kinds.length >= entries || bytes > textBytes) {
      throw new ImageError(
        'too_many_entries',
        `image has more than ${entries} entries or ${textBytes} bytes of paths`,
      );
    }
  }

  /** The number of the file's content. A hard link, and a second file with equal content, have the same. */
  #addResource(file: RegularEntry): number {
    const digest = this.#digest;
    digest.write(file.sha256, 'hex');
    const size = sizeOf(file);
    if (this.#digestSlots.length < (this.#sizes.length + 1) * 2) this.#growDigestSlots();
    const fresh = this.#sizes.length;
    const same = (other: number): boolean => this.#hasDigest(other);
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

  /** Every path above, where the image names it, is a directory. Most were seen to be when they were added. */
  #checkOrphans(): void {
    const bytes = this.#paths.array;
    for (const entry of this.#orphans) {
      const from = this.#pathStart(entry);
      for (let to = (this.#pathEnds.array[entry] ?? 0) - 1; to > from; to--) {
        const length = to - from;
        if (bytes[to] === slash && this.#isBelowDirectory(entry, hashBytes(bytes, from, to), from, length))
          break;
      }
    }
  }

  /** Whether the path of `length` bytes above this entry is a named directory; false when it is not named at all. */
  #isBelowDirectory(entry: number, hash: number, from: number, length: number): boolean {
    const bytes = this.#paths.array;
    const above = findEntry(this.#pathSlots, hash, (other) =>
      this.#hasPath(other, hash, bytes, from, from + length),
    );
    if (above === -1) return false;
    if (this.#kinds.array[above] === entryKinds.directory) return true;
    throw new ImageError(
      'path_below_non_directory',
      `${this.#shown(entry)} lies below ${this.#shown(above)}, which is a file or a symlink`,
    );
  }

  #shown(entry: number): string {
    const bytes = this.#paths.array.slice(this.#pathStart(entry), this.#pathEnds.array[entry]);
    return JSON.stringify(Buffer.from(bytes).toString('utf8'));
  }

  #pathStart(entry: number): number {
    return entry === 0 ? 0 : (this.#pathEnds.array[entry - 1] ?? 0);
  }

  #hasPath(entry: number, hash: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#hashes.array[entry] !== hash) return false;
    const start = this.#pathStart(entry);
    let at = this.#pathEnds.array[entry] ?? 0;
    if (at - start !== to - from) return false;
    const own = this.#paths.array;
    // From the end, where paths differ.
    for (let other = to; other > from; ) if (own[--at] !== bytes[--other]) return false;
    return true;
  }

  #hasDigest(resource: number): boolean {
    const own = this.#digests.array;
    for (let i = 0; i < 32; i++) if (own[resource * 32 + i] !== this.#digest[i]) return false;
    return true;
  }

  #growPathSlots(): void {
    const count = this.#kinds.length;
    if (this.#pathSlots.length >= (count + 1) * 2) return;
    this.#pathSlots = makeSlots(count + 1);
    const hashes = this.#hashes.array;
    for (let entry = 0; entry < count; entry++) {
      insertEntry(this.#pathSlots, hashes[entry] ?? 0, entry, () => false);
    }
  }

  #growDigestSlots(): void {
    const count = this.#sizes.length;
    this.#digestSlots = makeSlots(count + 1);
    const digests = this.#digests.array;
    const view = new DataView(digests.buffer, digests.byteOffset);
    for (let resource = 0; resource < count; resource++) {
      insertEntry(this.#digestSlots, view.getUint32(resource * 32), resource, () => false);
    }
  }
}

const slash = 0x2f;

/** The file's size, or -1. Older images do not tell it; zero bytes have one digest, and no other content has it. */
function sizeOf(file: RegularEntry): number {
  const isEmpty = file.sha256 === emptySha256;
  if (file.size === undefined) return isEmpty ? 0 : -1;
  if (isEmpty !== (file.size === 0)) {
    throw new ImageError(
      'metadata_malformed',
      `size ${file.size} of ${JSON.stringify(file.path)} does not go with digest ${file.sha256}`,
    );
  }
  return file.size;
}
