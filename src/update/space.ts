import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OtaFailure } from '#domain/failure.ts';
import { entryKinds, type FileTable } from '#image/file-table.ts';

/** What an image takes up on a file system. */
export interface SpaceNeed {
  readonly bytes: number;
  readonly inodes: number;
}

/** Left free beyond the exact need: room for the file system's own bookkeeping. */
const reserveBytes = 1024 * 1024;
/** Longer symlink targets take a block of their own on ext4 (60 bytes fit into the inode). */
const inlineTargetBytes = 59;

/** Blocks and inodes that a file table needs when nothing is shared but hard links. Pure. */
export function spaceNeed(table: FileTable, blockBytes: number): SpaceNeed {
  let bytes = 0;
  let inodes = 0;
  const groups = new Set<number>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    const group = table.group(entry);
    if (group > 0) {
      if (groups.has(group)) continue;
      groups.add(group);
    }
    inodes++;
    switch (table.kind(entry)) {
      case entryKinds.directory:
        bytes += blockBytes;
        break;
      case entryKinds.symlink:
        if (Buffer.byteLength(table.target(entry)) > inlineTargetBytes) bytes += blockBytes;
        break;
      case entryKinds.regular: {
        const size = Math.max(0, table.resourceSize(table.resource(entry)));
        bytes += Math.ceil(size / blockBytes) * blockBytes;
        break;
      }
    }
  }
  return { bytes, inodes };
}

/**
 * Refuses an image that does not fit, before anything is written. `held` is what the standby slot takes up already:
 * it is reused or removed. File systems that make inodes as they go report none; they are not checked for them.
 * Errors: OtaFailure `standby_slot_full`.
 */
export async function checkSpace(
  root: string,
  table: FileTable,
  held: SpaceNeed,
  extraBytes: number,
): Promise<void> {
  const stats = await statfs(await nearestExisting(root));
  const need = spaceNeed(table, stats.bsize);
  const bytes = need.bytes + extraBytes + reserveBytes;
  const freeBytes = stats.bavail * stats.bsize + held.bytes;
  if (bytes > freeBytes) {
    throw new OtaFailure(
      'standby_slot_full',
      `the image needs ${bytes} bytes in the standby slot, which has room for ${freeBytes}`,
    );
  }
  const freeInodes = stats.ffree + held.inodes;
  if (stats.files > 0 && need.inodes > freeInodes) {
    throw new OtaFailure(
      'standby_slot_full',
      `the image needs ${need.inodes} inodes in the standby slot, which has room for ${freeInodes}`,
    );
  }
}

/** The file system that a path will be on: a standby slot that was never written has no directory yet. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await access(at);
      return at;
    } catch (error) {
      if (at === dirname(at)) throw error;
    }
  }
}
