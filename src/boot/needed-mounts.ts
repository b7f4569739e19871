import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeDevice, mountHolding } from '#host/block-device.ts';
import type { LoaderSetting } from './boot-loader.ts';
import type { FstabEntry } from './fstab.ts';

/**
 * The mounts that every release needs in order to see these places of ours, as entries for its fstab. None for places on
 * the root file system, and none where a disk is worked on from outside: its mount points are not those of the vehicle.
 */
export async function neededMounts(
  { runsMachine }: Pick<LoaderSetting, 'runsMachine'>,
  places: readonly string[],
  signal: AbortSignal,
): Promise<readonly FstabEntry[]> {
  if (!runsMachine) return [];
  const needed = new Map<string, FstabEntry>();
  for (const place of places) {
    const mount = await mountHolding(await nearestExisting(place));
    if (mount === undefined || mount.mountPoint === '/' || !mount.source.startsWith('/dev/')) continue;
    const { filesystem } = await describeDevice(mount.source, signal);
    if (filesystem === undefined || filesystem.uuid === '' || mount.root !== '/') continue;
    const { mountPoint } = mount;
    const spec = `UUID=${filesystem.uuid}`;
    const { type } = filesystem;
    needed.set(mountPoint, { spec, mountPoint, type, options: 'defaults', dump: '0', pass: '2' });
  }
  return [...needed.values()];
}

/** A directory of ours is made only when something is written to it. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if (at === '/' || (await stat(at, { throwIfNoEntry: false })) !== undefined) return at;
  }
}
