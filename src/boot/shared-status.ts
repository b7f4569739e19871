import { join } from 'node:path';
import { deviceHolding } from '#host/block-device.ts';
import { BootError } from './boot-error.ts';
import type { BootLoader, LoaderSetting, StatusPlace } from './boot-loader.ts';
import { requireWritable } from './boot-place.ts';
import { nearestExisting } from './needed-mounts.ts';
import { slotIds } from './slots.ts';

type SharedStatus = Extract<StatusPlace, { readonly kind: 'shared' }>;

/**
 * The status directories of loaders that have no place of their own for them: `boot.status_directory`, else
 * `ota-status` in the boot directory, with one directory per slot. Both slots must see it, so that each learns how the
 * other one fared. Errors: BootError `startup_failed` when it lies in a slot, or cannot be written to by the daemon.
 */
export async function sharedStatus(
  { options, bootDirectory }: Pick<LoaderSetting, 'options' | 'bootDirectory'>,
  devices: BootLoader['devices'],
  role: 'daemon' | 'reader',
  signal: AbortSignal,
): Promise<SharedStatus> {
  const directory = options.statusDirectory ?? join(bootDirectory, 'ota-status');
  const existing = await nearestExisting(directory);
  const holding = await deviceHolding(existing, signal);
  const slot = slotIds.find((id) => devices[id].number === holding?.number);
  if (slot !== undefined) {
    throw new BootError(
      'startup_failed',
      `the status directory ${directory} lies inside ${slot} (${devices[slot].path}), where the other slot does not ` +
        'see it; mount a partition there that both slots mount, or name a directory on one with boot.status_directory',
    );
  }
  if (role === 'daemon') await requireWritable(existing, `the status directory ${directory}`);
  return { kind: 'shared', directory: (id) => join(directory, id) };
}
