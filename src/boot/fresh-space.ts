import { rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NewFilesystem, SlotFilesystem } from '#host/make-filesystem.ts';
import { makeFilesystem } from '#host/make-filesystem.ts';
import { MountError, type MountNamespace } from '#host/mount-namespace.ts';
import type { FreshSpace } from './slots.ts';

/** @see statfs(2) */
const types: Readonly<Record<SlotFilesystem, number>> = { ext4: 0xef53, xfs: 0x58465342, btrfs: 0x9123683e };

/** What is left of a partition at the least, where it cannot be measured. */
export function guessFreshSpace(sizeBytes: number, type: SlotFilesystem): FreshSpace {
  return { type: types[type], blockBytes: 4096, bytes: Math.floor(sizeBytes * 0.9), inodes: undefined };
}

/**
 * How much an empty file system on a device of this size has room for, found out by making one in a sparse file of that
 * size: what a file system keeps for itself is not to be calculated. Undefined where the kernel has no loop devices.
 * Errors: CommandError when no such file system can be made in that size.
 */
export async function measureFreshSpace(
  namespace: MountNamespace,
  directory: string,
  sizeBytes: number,
  filesystem: NewFilesystem,
  signal: AbortSignal,
): Promise<(FreshSpace & { readonly totalBytes: number }) | undefined> {
  const image = join(directory, 'fresh.img');
  try {
    await rm(image, { force: true });
    await writeFile(image, '', { flag: 'wx', mode: 0o600 });
    await truncate(image, sizeBytes);
    await makeFilesystem(image, { ...filesystem, uuid: '', label: '' }, signal);
    // Read only, some keep less for themselves.
    const options = ['loop', 'rw'];
    const root = await namespace.mount(image, 'fresh', { type: filesystem.type, options }, signal);
    try {
      const { type, bsize, blocks, bavail, files, ffree } = await statfs(root);
      return {
        type,
        blockBytes: bsize,
        bytes: bavail * bsize,
        totalBytes: blocks * bsize,
        inodes: files > 0 ? ffree : undefined,
      };
    } finally {
      await namespace.unmount('fresh', signal);
    }
  } catch (error) {
    if (error instanceof MountError && error.code === 'mount_failed') return undefined;
    throw error;
  } finally {
    await rm(image, { force: true });
  }
}
