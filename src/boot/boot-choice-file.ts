import { z } from 'zod';
import { readSmallJson, writeDurably } from '#host/durable-file.ts';
import { BootError } from './boot-error.ts';
import type { SlotId } from './slots.ts';
import { slotIds } from './slots.ts';

/** What `boot.json` holds. */
export interface BootChoice {
  /** Booted unless `once` says otherwise. */
  readonly default: SlotId;
  /** Booted at the next start only; a start takes it away before anything else. */
  readonly once: SlotId | null;
  /** What the last start booted: for readers, decides nothing. */
  readonly booted: SlotId;
}

const schema = z.object({
  format: z.literal(1),
  default: z.enum(slotIds),
  once: z.enum(slotIds).nullable(),
  booted: z.enum(slotIds),
});

const maxBytes = 4096;

/** Undefined when there is no file yet. Errors: BootError `startup_failed` when the file is not ours. */
export async function readBootChoice(path: string): Promise<BootChoice | undefined> {
  const raw = await readSmallJson(path, maxBytes);
  if (raw === undefined) return undefined;
  const read = schema.safeParse(raw);
  if (!read.success) {
    throw new BootError(
      'startup_failed',
      `${path} is not a boot choice; restore it, or remove it to start anew`,
    );
  }
  const { default: standard, once, booted } = read.data;
  return { default: standard, once, booted };
}

/** Writes the choice and reads it back. Errors: BootError `switch_failed`, and those of the file system. */
export async function writeBootChoice(path: string, choice: BootChoice): Promise<void> {
  await writeDurably(path, `${JSON.stringify({ format: 1, ...choice })}\n`);
  const written = await readBootChoice(path);
  if (
    written?.default !== choice.default ||
    written.once !== choice.once ||
    written.booted !== choice.booted
  ) {
    throw new BootError('switch_failed', `${path} does not read back as it was written`);
  }
}
