import { lstat, readdir, rm } from 'node:fs/promises';
import { OtaFailure } from '#domain/failure.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { readAccountMap } from './account-map.ts';
import { Carrier, isThere } from './carrier.ts';
import type { StagedTree } from './plan.ts';
import type { StepContext } from './steps.ts';

/** Never carried over: the system makes them anew, and they are large. */
const ignored: ReadonlySet<string> = new Set(['/swapfile', '/swap.img']);

/**
 * Carries the image's persistent files, directories and symlinks over from the active slot. What the active slot does
 * not have is left as the image has it; a directory replaces the image's. Owners are translated by name, modes kept
 * with setuid, times kept. Sockets, pipes and devices inside are passed over. Nothing boots the tree before it is whole, so
 * that one that was cut off is thrown away with it.
 *
 * Errors: OtaFailure standby_slot_full, placing.
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
      if (!(await isThere(from))) continue;
      const to = await resolveInRoot(root, path, false);
      await carrier.makeParents(activeRoot, root, to);
      await rm(to, { recursive: true, force: true });
      await carrier.copy(from, to);
    } catch (error) {
      signal.throwIfAborted();
      const { code } = error as NodeJS.ErrnoException;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      throw new OtaFailure(
        full ? 'standby_slot_full' : 'placing',
        `persistent ${path} could not be carried over: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  return staged;
}

/** Bytes that the persistent files take up in the active slot, 512 at a time; 0 for what is not there. */
export async function persistentBytes(paths: readonly string[], activeRoot: string): Promise<number> {
  let bytes = 0;
  const add = async (path: string): Promise<void> => {
    const stats = await lstat(path);
    bytes += stats.blocks * 512;
    if (stats.isDirectory()) for (const name of await readdir(path)) await add(`${path}/${name}`);
  };
  for (const path of paths) {
    if (ignored.has(path)) continue;
    const from = await resolveInRoot(activeRoot, path, false);
    if (await isThere(from)) await add(from);
  }
  return bytes;
}
