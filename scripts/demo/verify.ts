import { readFile } from 'node:fs/promises';
import { readDirectorySlots } from '#boot/directory.ts';
import type { SlotContents } from '#boot/slots.ts';
import { compareTree, type TreeDifference } from '#image/compare-tree.ts';
import type { DemoEcu } from './fleet.ts';
import { persistents } from './recipe.ts';
import type { Release } from './releases.ts';

/** What was found in an ECU's active slot. */
export interface Verdict {
  readonly ecuId: string;
  readonly slot: SlotContents;
  /** Entries that were compared: directories, symlinks and files. */
  readonly entries: number;
  readonly differences: readonly TreeDifference[];
}

/** Differences that are told; a slot that is wrong altogether has thousands. */
export const maxTold = 5;

/**
 * Compares an ECU's active slot with a release: paths, types, modes, owners, links, bytes; and its own persistent files
 * with what the factory gave it.
 */
export async function verifySlot(ecu: DemoEcu, release: Release, signal: AbortSignal): Promise<Verdict> {
  await using slots = await readDirectorySlots(ecu.slots);
  const slot = await slots.current();
  const differences: TreeDifference[] = [];
  if (slot.version !== release.version) {
    differences.push({ path: '/', what: `is release ${slot.version}, should be ${release.version}` });
  }
  const { table } = release.image;
  const options = { except: persistents, owners: process.geteuid?.() === 0, signal };
  for await (const difference of compareTree(table, slots.activeRoot, options)) differences.push(difference);
  for (const [path, text] of ecu.own) {
    const found = await readFile(slots.activeRoot + path, 'utf8').catch(() => undefined);
    if (found !== text) differences.push({ path, what: 'was not carried over from the slot before' });
  }
  return { ecuId: ecu.ecuId, slot, entries: table.entryCount, differences };
}
