import { z } from 'zod';
import type { SlotArchive } from '#boot/slot-archive.ts';
import { guardNoteFile } from '#boot/slot-archive.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import { trialCauses } from '#domain/trial-end.ts';

/** What `scripts/systemd/ota-trial` writes into both status directories before it reboots. */
const schema = z.object({
  format: z.literal(1),
  cause: z.enum(trialCauses),
  detail: z.string().max(4096),
  /** Unix time in seconds. */
  when: z.number(),
  /** Tail of the daemon's journal. */
  journal: z.string(),
});

/** The guard beside the daemon ended the trial of a release. */
export interface GuardNote extends TrialEnd {
  /** Unix time in milliseconds. */
  readonly when: number;
  /** The last that the daemon wrote; for people, may have many lines. */
  readonly journal: string;
}

/** What the guard left in one slot's status directory; undefined when nothing. Errors: those of the file system. */
export async function readGuardNote(archive: SlotArchive): Promise<GuardNote | undefined> {
  const read = schema.safeParse(await archive.read(guardNoteFile));
  if (!read.success) return undefined;
  const { cause, detail, when, journal } = read.data;
  return { cause, detail, when: when * 1000, journal, probe: undefined };
}

/** Once it is kept elsewhere. */
export async function removeGuardNote(archive: SlotArchive): Promise<void> {
  await archive.remove(guardNoteFile);
}
