import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SeenTree } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { FileTable } from '#image/file-table.ts';
import type { Layout, SpaceNeed } from './layout.ts';
import { spaceNeed } from './layout.ts';

/** Room for the file system's own bookkeeping, which is not to be calculated: index blocks of files and directories. */
const reserveBytes = 512 * 1024;

/** What an image needs of a standby slot, and what the slot has once what it holds is gone or used. */
export interface SpaceBalance {
  readonly neededBytes: number;
  readonly availableBytes: number;
  readonly neededInodes: number;
  /** Undefined when the file system makes inodes as it goes. */
  readonly availableInodes: number | undefined;
}

/** What the standby slot takes up already, given how its file system lays out directories. */
export type Measure = (layout: Layout) => Promise<SpaceNeed>;

/**
 * Weighs an image against a standby slot. `extraBytes` come on top of the image. Blocks that are kept for root do not
 * count as room: the release that will run there may need them. Errors: those of the file system and of `measure`.
 */
export async function weighSpace(
  seen: SeenTree,
  table: FileTable,
  extraBytes: number,
  measure: Measure,
): Promise<SpaceBalance> {
  const extra = extraBytes + (seen.addedBytes ?? 0) + reserveBytes;
  if (seen.fresh !== undefined) {
    const need = spaceNeed(table, seen.fresh);
    return {
      neededBytes: need.bytes + extra,
      availableBytes: seen.fresh.bytes,
      neededInodes: need.inodes,
      availableInodes: seen.fresh.inodes,
    };
  }
  const stats = await statfs(await nearestExisting(seen.root));
  const layout = { type: stats.type, blockBytes: stats.bsize };
  const [need, held] = [spaceNeed(table, layout), await measure(layout)];
  return {
    neededBytes: need.bytes + extra,
    availableBytes: stats.bavail * stats.bsize + held.bytes,
    neededInodes: need.inodes,
    availableInodes: stats.files > 0 ? stats.ffree + held.inodes : undefined,
  };
}

/**
 * Refuses an image that does not fit, before anything is written. Returns the bytes that are left over.
 * Errors: OtaFailure `standby_slot_full`.
 */
export function checkSpace(balance: SpaceBalance): number {
  const { neededBytes, availableBytes, neededInodes, availableInodes } = balance;
  if (neededBytes > availableBytes) {
    throw new OtaFailure(
      'standby_slot_full',
      `the image needs ${neededBytes} bytes in the standby slot, which has room for ${availableBytes}`,
    );
  }
  if (availableInodes !== undefined && neededInodes > availableInodes) {
    throw new OtaFailure(
      'standby_slot_full',
      `the image needs ${neededInodes} inodes in the standby slot, which has room for ${availableInodes}`,
    );
  }
  return availableBytes - neededBytes;
}

/** The file system that a path will be on: a standby slot that was never written has no directory yet. */
async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await access(at);
      return at;
    } catch (error) {
      if (at === dirname(at)) throw error;
    }
  }
}
