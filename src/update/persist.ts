import { rm } from 'node:fs/promises';
import { OtaFailure } from '#domain/failure.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { readAccountMap } from './account-map.ts';
import { Carrier } from './carrier.ts';
import { bytesOf, isCarried, look } from './places.ts';
import type { StagedTree } from './plan.ts';
import type { StepContext } from './steps.ts';

/** Never carried over: the system makes them anew, and they are large. */
const ignored: ReadonlySet<string> = new Set(['/swapfile', '/swap.img']);

const failures: ReadonlyMap<string | undefined, 'standby_slot_full' | 'release_unsuitable'> = new Map([
  ['ENOSPC', 'standby_slot_full'],
  ['EDQUOT', 'standby_slot_full'],
  ['ENOTDIR', 'release_unsuitable'],
]);

/**
 * Carries the image's persistent files, directories and symlinks over from the active slot. What the active slot does
 * not have is left as the image has it; a directory replaces the image's. Owners are translated by name, modes kept
 * with setuid, times, hard links and holes kept; extended attributes are not, as in images. Sockets, pipes and devices are
 * passed over, and so is what vanishes meanwhile: the active slot runs. Nothing boots the tree before it is whole, so
 * that one that was cut off is thrown away with it.
 *
 * Errors: OtaFailure standby_slot_full, placing; release_unsuitable, where the image has a file above a persistent one.
 */
export async function persistFiles(staged: StagedTree, { meter, signal }: StepContext): Promise<StagedTree> {
  meter.enter('PROCESSING_POSTUPDATE', 'PERSISTENT');
  const { activeRoot, root } = staged.tree;
  if (staged.image.persistents.length === 0) return staged;
  const carrier = new Carrier(await readAccountMap(activeRoot, root), signal);
  for (const path of staged.image.persistents) {
    signal.throwIfAborted();
    if (ignored.has(path)) continue;
    try {
      const from = await resolveInRoot(activeRoot, path, false);
      const stats = await look(from);
      if (stats === undefined || !isCarried(stats)) continue;
      const to = await resolveInRoot(root, path, false);
      await carrier.makeParents(activeRoot, root, to);
      await rm(to, { recursive: true, force: true });
      await carrier.copy(from, to);
    } catch (error) {
      signal.throwIfAborted();
      const { code } = error as NodeJS.ErrnoException;
      throw new OtaFailure(
        failures.get(code) ?? 'placing',
        `persistent ${path} could not be carried over: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  return staged;
}

/** Bytes that the persistent files take up in the active slot, 512 at a time; 0 for what is not there. */
export async function persistentBytes(paths: readonly string[], activeRoot: string): Promise<number> {
  const places = paths.filter((path) => !ignored.has(path));
  return bytesOf(await Promise.all(places.map((path) => resolveInRoot(activeRoot, path, false))));
}
