import { BootError } from './boot-error.ts';
import type { SlotTree } from './boot-loader.ts';
import type { FstabEntry, FstabPlan } from './fstab.ts';

/** What the fstab of a new release needs where the boot partitions are those that the running release mounts. */
export function fstabPlan({ slot, device }: SlotTree, vehicle: readonly FstabEntry[] = []): FstabPlan {
  const { filesystem, path } = device;
  if (filesystem === undefined || filesystem.uuid === '') {
    throw new BootError('prepare_failed', `${slot} on ${path} has no file system with a UUID to mount it by`);
  }
  return { root: `UUID=${filesystem.uuid}`, rootType: filesystem.type, vehicle };
}
