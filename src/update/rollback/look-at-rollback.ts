import { stat, statfs } from 'node:fs/promises';
import { BootError } from '#boot/boot-error.ts';
import type { SlotContents, Slots } from '#boot/slots.ts';
import { bytesOf, fileAbove } from '#update/places.ts';
import type { CarryBackBetween } from './carried-paths.ts';
import { carriedPaths } from './carried-paths.ts';
import type { CarryBackChange } from './preview.ts';
import { previewCarryBack } from './preview.ts';

/** What a rollback would do now. */
export interface RollbackOutlook {
  readonly running: SlotContents;
  /** What the other slot holds, as far as it can be told. */
  readonly target: SlotContents;
  /** Why a rollback would be refused; undefined when the target is intact. */
  readonly refusal: string | undefined;
  /** Files that would be carried back; none for a rollback that would be refused. */
  readonly files: readonly CarryBackChange[];
}

/** Looks at both slots and writes nothing. Errors: BootError, when they cannot be read; those of the file system. */
export async function lookAtRollback(
  slots: Pick<Slots, 'activeRoot' | 'current' | 'standby' | 'rollbackTarget' | 'withStandbyRoot'>,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<RollbackOutlook> {
  const refusal = await refusalOf(slots);
  const [running, target] = [await slots.current(), await slots.standby()];
  if (refusal !== undefined || paths.length === 0) return { running, target, refusal, files: [] };
  const { activeRoot } = slots;
  return await slots.withStandbyRoot('read', async (root) => {
    const between = { paths, activeRoot, root };
    const obstacle = await obstacleTo(between);
    if (obstacle !== undefined) return { running, target, refusal: obstacle, files: [] };
    return { running, target, refusal, files: await previewCarryBack(between, signal) };
  });
}

/** Why carrying back would fail; undefined when nothing speaks against it. */
async function obstacleTo(between: CarryBackBetween): Promise<string | undefined> {
  const { activeRoot, root } = between;
  const carried = await carriedPaths(between);
  for (const { path, at } of carried) {
    const above = await fileAbove(root, at);
    if (above !== undefined)
      return `${path} cannot be carried back: ${above} is no directory in the old release`;
  }
  // On one file system copies may be clones, which take no room.
  if ((await stat(activeRoot)).dev === (await stat(root)).dev) return undefined;
  const needed = await bytesOf(carried.map(({ from }) => from));
  const { bavail, bsize } = await statfs(root);
  if (needed <= bavail * bsize) return undefined;
  return `files to carry back need ${needed} bytes in the old slot, which has room for ${bavail * bsize}`;
}

async function refusalOf(slots: Pick<Slots, 'rollbackTarget'>): Promise<string | undefined> {
  try {
    await slots.rollbackTarget();
    return undefined;
  } catch (error) {
    if (error instanceof BootError && error.code === 'rollback_refused') return error.message;
    throw error;
  }
}
