import { readdir } from 'node:fs/promises';
import type { SlotWords } from './judge.ts';
import { slotWords } from './read-slot.ts';
import type { SlotId } from './slots.ts';
import type { StatusFiles } from './status-files.ts';

export interface AdoptedSlots {
  readonly booted: SlotId;
  readonly activeRoot: string;
  readonly own: StatusFiles;
  /** Status files of the other slot, to read and then, if need be, to write. */
  readonly other: (mode: 'read' | 'write') => Promise<StatusFiles | undefined>;
}

const confirmed = { state: 'confirmed', imageDigest: '' } as const;

/**
 * Our first start in a release that the ECU was delivered with, or that an existing client installed: there is no record
 * of ours. What runs can be gone back to later, and so can what ran before it. Errors: those of the file system.
 */
export async function adoptSlots({ booted, activeRoot, own, other }: AdoptedSlots): Promise<void> {
  if ((await own.record()) !== undefined || (await readdir(activeRoot)).length === 0) return;
  const words = await slotWords(own);
  const before = await other('read');
  if (ranBefore(booted, words, await slotWords(before)) && (await before?.record()) === undefined) {
    await (await other('write'))?.setRecord(confirmed);
  }
  // One that is on trial is confirmed when the trial is over.
  if (words.status !== 'UPDATING' && words.status !== 'ROLLBACKING') await own.setRecord(confirmed);
}

/**
 * Whether the other slot is as it ran when an existing client installed the running release from it. Such a client marks
 * the slot that runs, and names the one it writes to, before it touches that: a running slot that is SUCCESS, or on its
 * first boot, and names itself has not begun to write to the other one since.
 */
function ranBefore(booted: SlotId, own: SlotWords, other: SlotWords): boolean {
  const untouched = (own.status === 'SUCCESS' || own.status === 'UPDATING') && own.slotInUse === booted;
  return untouched && other.status !== undefined && other.slotInUse === booted;
}
