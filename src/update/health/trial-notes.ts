import { uptime } from 'node:os';
import { z } from 'zod';
import type { SlotArchive } from '#boot/slot-archive.ts';
import type { Slots } from '#boot/slots.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import { trialCauses } from '#domain/trial-end.ts';
import { readGuardNote } from './guard-note.ts';

const text = (max: number) => z.string().max(max);
const schema = z.object({
  format: z.literal(1),
  /** The boot that wrote it. */
  boot_id: z.string(),
  /** Boots of the release so far. */
  boots: z.int().min(1),
  /** Seconds of system uptime by which the daemon decides; the guard beside it waits for that. */
  decided_by_uptime_s: z.int().min(0),
  /** Crash records that were there when the trial began. */
  crash_records: z.array(z.string()),
  /** Boots that have tried to give the release up, and why. */
  endings: z.int().min(0),
  end: z
    .object({
      cause: z.enum(trialCauses),
      detail: text(4096),
      probe: z
        .object({
          name: text(256),
          kind: text(64),
          target: text(8192),
          how: text(8192),
          output: text(16_384),
        })
        .optional(),
    })
    .optional(),
  ended_in_boot: z.string().optional(),
});
type Notes = z.output<typeof schema>;

const fileName = 'trial';

/** What the start of a trial, or of one more boot of it, has to say. */
export interface TrialStart {
  /** Differs for each boot. */
  readonly bootId: string;
  /** Milliseconds within which the daemon decides. */
  readonly limitMs: number;
  /** The crash records that are there now. */
  readonly crashRecords: readonly string[];
}

/** What is known of the trial from before. */
export interface TrialSoFar {
  /** Boots of the release, this one included. */
  readonly boots: number;
  /** Whether the daemon was started before in this same boot. */
  readonly restarted: boolean;
  /** Crash records that were made since the trial began. */
  readonly newCrashRecords: readonly string[];
  /** Why the release is to be given up, if an earlier boot or the guard has decided that. */
  readonly end: TrialEnd | undefined;
}

/**
 * What each boot of a release that is on trial writes down for the next one, beside the status files of the slot.
 * Errors: BootError, those of the file system.
 */
export class TrialNotes {
  readonly #slots: Slots;
  #notes: Notes | undefined;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  async begin({ bootId, limitMs, crashRecords }: TrialStart): Promise<TrialSoFar> {
    return this.#slots.withArchive('current', 'write', async (archive) => {
      const read = schema.safeParse(await archive.read(fileName));
      const before = read.success ? read.data : undefined;
      const restarted = before?.boot_id === bootId;
      const known = before?.crash_records ?? crashRecords;
      const notes: Notes = {
        format: 1,
        boot_id: bootId,
        boots: (before?.boots ?? 0) + (restarted ? 0 : 1),
        decided_by_uptime_s: Math.ceil(uptime() + limitMs / 1000),
        crash_records: [...known],
        endings: before?.endings ?? 0,
        end: before?.end,
        ended_in_boot: before?.ended_in_boot,
      };
      await archive.write(fileName, notes);
      this.#notes = notes;
      const { boots, end } = notes;
      return {
        boots,
        restarted,
        newCrashRecords: crashRecords.filter((record) => !known.includes(record)),
        end: end === undefined ? await readGuardNote(archive) : { ...end, probe: end.probe },
      };
    });
  }

  /** Returns how many boots, this one included, have tried to give the release up. */
  async end({ cause, detail, probe }: TrialEnd): Promise<number> {
    return this.#slots.withArchive('current', 'write', async (archive) => {
      const notes = this.#notes;
      if (notes === undefined) return 1;
      const again = notes.ended_in_boot === notes.boot_id;
      const endings = notes.endings + (again ? 0 : 1);
      const end = { cause, detail: cut(detail, 4096), probe: probe && cutAll(probe) };
      this.#notes = { ...notes, end, endings, ended_in_boot: notes.boot_id };
      await archive.write(fileName, this.#notes);
      return endings;
    });
  }
}

/** What the release in a slot left of its trial; undefined when nothing. Errors: those of the file system. */
export async function readTrialNotes(
  archive: SlotArchive,
): Promise<(Pick<TrialSoFar, 'boots' | 'end'> & { readonly crashRecords: readonly string[] }) | undefined> {
  const read = schema.safeParse(await archive.read(fileName));
  if (!read.success) return undefined;
  const { boots, crash_records: crashRecords, end } = read.data;
  return { boots, crashRecords, end: end === undefined ? undefined : { ...end, probe: end.probe } };
}

function cutAll({ name, kind, target, how, output }: NonNullable<TrialEnd['probe']>) {
  return {
    name: cut(name, 256),
    kind: cut(kind, 64),
    target: cut(target, 8192),
    how: cut(how, 8192),
    output: output.slice(-8192),
  };
}

function cut(words: string, max: number): string {
  return words.slice(0, max);
}
