import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectoryDurably, readSmallJson, removeDurably, writeDurably } from '#host/durable-file.ts';
import type { SlotId } from './slots.ts';
import { slotIds } from './slots.ts';

/**
 * Which partition is being formatted, and what its file system is called. A power cut in the middle of mkfs takes UUID
 * and label, by which slots are found and boot menus know them.
 */
export interface FormatNote {
  readonly slot: SlotId;
  readonly partUuid: string;
  readonly uuid: string;
  readonly label: string;
}

const schema = z.object({
  format: z.literal(1),
  slot: z.enum(slotIds),
  part_uuid: z.string().min(1),
  uuid: z.string(),
  label: z.string(),
});
const maxBytes = 4096;

function pathIn(bootDirectory: string): string {
  return join(bootDirectory, 'ota-format.json');
}

/** Undefined when no formatting was interrupted. */
export async function readFormatNote(bootDirectory: string): Promise<FormatNote | undefined> {
  const read = schema.safeParse(await readSmallJson(pathIn(bootDirectory), maxBytes));
  if (!read.success) return undefined;
  const { slot, part_uuid: partUuid, uuid, label } = read.data;
  return { slot, partUuid, uuid, label };
}

/** Before mkfs. Errors: those of the file system. */
export async function writeFormatNote(bootDirectory: string, note: FormatNote): Promise<void> {
  await makeDirectoryDurably(bootDirectory);
  const { slot, partUuid: part_uuid, uuid, label } = note;
  await writeDurably(pathIn(bootDirectory), JSON.stringify({ format: 1, slot, part_uuid, uuid, label }));
}

/** After mkfs. Does not touch a directory that may be read only when there is none. */
export async function removeFormatNote(bootDirectory: string): Promise<void> {
  if ((await readFormatNote(bootDirectory)) === undefined) return;
  await removeDurably(pathIn(bootDirectory));
}
