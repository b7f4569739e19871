import type { BootControl } from './boot-control.ts';
import { BootError } from './boot-error.ts';
import type { SlotWords } from './judge.ts';
import type { AccessMode, SlotContents, SlotId } from './slots.ts';
import { StatusFiles } from './status-files.ts';

/** Undefined where they lie in a slot whose file system cannot be mounted. Errors: those of the boot control. */
export async function statusFilesOf(
  control: BootControl,
  slot: SlotId,
  mode: AccessMode,
): Promise<StatusFiles | undefined> {
  const directory = await control.statusDirectory(slot, mode);
  if (directory === undefined) return undefined;
  return new StatusFiles(directory, control.slotNames, control.statusMirror?.(slot));
}

// What the status files of one slot say. No files: they lie in a slot whose file system cannot be mounted.

export async function slotContents(id: SlotId, files: StatusFiles | undefined): Promise<SlotContents> {
  const record = await files?.record();
  return {
    id,
    version: (await files?.version()) ?? '',
    detail: await files?.detail(),
    imageDigest: record?.imageDigest ?? '',
    intact: record?.state === 'confirmed',
  };
}

/** The words that a start is judged by. */
export async function slotWords(files: StatusFiles | undefined): Promise<SlotWords> {
  return {
    status: await files?.status(),
    slotInUse: (await files?.slotInUse()) ?? '',
    failure: await files?.failure(),
  };
}

/** What a rollback to the slot would boot. Errors: BootError `rollback_refused`, which says why there is nothing. */
export async function rollbackTarget(slot: SlotId, files: StatusFiles | undefined): Promise<SlotContents> {
  if (files === undefined) throw refused(`the file system of ${slot} cannot be mounted`);
  const record = await files.record();
  if (record === undefined) throw refused(`${slot} never held a release`);
  if (record.state === 'written_to') throw refused(`${slot} has been written to by an update since`);
  if (record.state === 'staged') throw refused(`the release in ${slot} was never confirmed`);
  return slotContents(slot, files);
}

function refused(why: string): BootError {
  return new BootError('rollback_refused', `there is no release to go back to: ${why}`);
}
