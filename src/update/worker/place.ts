import { createHash } from 'node:crypto';
import { closeSync, constants, copyFileSync, openSync, readSync, unlinkSync } from 'node:fs';
import type { SharedState } from '#update/shared-state.ts';
import { type SlotWriter, writeAll } from './slot-writer.ts';

/** One read; files up to this size are read, hashed and written in one go. */
export const bufferBytes = 1024 * 1024;
/** Sharing blocks pays from this size on. */
export const reflinkBytes = 16 * 1024;

/** The entries of a resource that still have to be written; names to be hard-linked come later. */
export function placesOf(state: SharedState, resource: number): number[] {
  const places: number[] = [];
  for (const entry of state.entriesOf(resource)) {
    if (state.data.placed[entry] !== 1 && !state.isLinkedName(entry)) places.push(entry);
  }
  return places;
}

/** Marks an entry as placed, and counts it. */
export function countPlaced(
  state: SharedState,
  entry: number,
  kind: 'copy' | 'download',
  bytes: number,
): void {
  state.data.placed[entry] = 1;
  state.count(kind === 'copy' ? 'copyFiles' : 'downloadFiles', 1);
  state.count(kind === 'copy' ? 'copyBytes' : 'downloadBytes', bytes);
}

/** Writes verified bytes to every place of a claimed resource; the first counts as `kind`, the others as copies. */
export function placeBytes(
  state: SharedState,
  writer: SlotWriter,
  resource: number,
  bytes: Uint8Array,
  kind: 'copy' | 'download',
): void {
  let first: string | undefined;
  for (const entry of placesOf(state, resource)) {
    if (first !== undefined && writer.mayShare && bytes.length >= reflinkBytes) {
      const buffer = Buffer.allocUnsafe(bytes.length);
      if (placeReflink(state, writer, resource, first, buffer, [entry])) continue;
      writer.mayShare = false;
    }
    writer.write(entry, bytes);
    countPlaced(state, entry, first === undefined ? kind : 'copy', bytes.length);
    first ??= writer.pathOf(entry);
  }
}

export interface PlaceFileOptions {
  /** Where it is still to be written; everywhere by default. */
  readonly places?: readonly number[];
  /** Path of the open file where it lies in the standby slot, whose file system may share its blocks. */
  readonly inSlot?: string;
}

/**
 * Copies an open file to every place of a claimed resource and hashes what it writes; the first place is written from
 * `fd`, the others from the first; where its file system can share blocks, they share. Returns the digest of what was read: when it is not the resource's, nothing is left.
 */
export function placeFile(
  state: SharedState,
  writer: SlotWriter,
  resource: number,
  fd: number,
  buffer: Buffer,
  { places = placesOf(state, resource), inSlot }: PlaceFileOptions = {},
): Buffer | undefined {
  let source = fd;
  let first: number | undefined;
  let digest: Buffer | undefined;
  try {
    for (const entry of places) {
      if (inSlot !== undefined && writer.mayShare && state.table.resourceSize(resource) >= reflinkBytes) {
        if (placeReflink(state, writer, resource, inSlot, buffer, [entry])) continue;
        writer.mayShare = false;
      }
      const target = writer.create(entry);
      const sha256 = createHash('sha256');
      let size: number;
      try {
        size = pump(state, source, buffer, (bytes) => {
          sha256.update(bytes);
          writeAll(target, bytes);
        });
      } catch (error) {
        closeSync(target);
        throw error;
      }
      writer.close(target, entry);
      digest = sha256.digest();
      if (state.table.findDigest(digest) !== resource) {
        unlinkSync(writer.pathOf(entry));
        return digest;
      }
      countPlaced(state, entry, 'copy', size);
      if (first === undefined) {
        inSlot = writer.pathOf(entry);
        first = openSync(writer.pathOf(entry), constants.O_RDONLY);
        source = first;
      }
    }
    return digest;
  } finally {
    if (first !== undefined) closeSync(first);
  }
}

/**
 * Shares the blocks of a file with every place of a claimed resource, and hashes what the standby slot then holds.
 * False when the kernel will not, or the file has changed; the caller copies then.
 */
export function placeReflink(
  state: SharedState,
  writer: SlotWriter,
  resource: number,
  from: string,
  buffer: Buffer,
  places: readonly number[] = placesOf(state, resource),
): boolean {
  for (const entry of places) {
    const target = writer.pathOf(entry);
    try {
      copyFileSync(from, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    } catch {
      return false;
    }
    const fd = openSync(target, constants.O_RDONLY);
    let good = false;
    try {
      good = state.table.findDigest(digestOf(state, fd, buffer)) === resource;
    } finally {
      closeSync(fd);
    }
    if (!good) {
      unlinkSync(target);
      return false;
    }
    writer.adopt(entry);
    countPlaced(state, entry, 'copy', state.table.resourceSize(resource));
  }
  return true;
}

/** SHA-256 of a whole open file. */
export function digestOf(state: SharedState, fd: number, buffer: Buffer): Buffer {
  const sha256 = createHash('sha256');
  pump(state, fd, buffer, (bytes) => sha256.update(bytes));
  return sha256.digest();
}

/** Reads until the buffer is full or the file ends, from `position` on. */
export function readFully(fd: number, buffer: Buffer, position: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const read = readSync(fd, buffer, filled, buffer.length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}

/** Reads a file from its start to its end, buffer by buffer; stops with an error when the update is stopped. */
function pump(state: SharedState, fd: number, buffer: Buffer, take: (bytes: Buffer) => void): number {
  for (let at = 0; ; ) {
    if (state.stopped) throw new Error('stopped');
    const read = readFully(fd, buffer, at);
    take(buffer.subarray(0, read));
    at += read;
    if (read < buffer.length) return at;
  }
}
