import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { z } from 'zod';
import {
  makeDirectoryDurably,
  readSmallJson,
  removeDurably,
  sweepTemporaries,
  writeDurably,
} from '#host/durable-file.ts';
import type { TimelinePoint } from './timeline.ts';
import { timelineSchema, withPoint } from './timeline.ts';

/** Points of a job at which the journal is written, in order, and what the ECU is doing from there on. */
export const journalSteps = {
  await_start: 'waiting until the vehicle is in a state for it',
  verify: 'fetching and verifying the image description',
  prepare: 'making the standby slot ready',
  plan: 'comparing the slots with the image',
  place: 'placing files',
  persist: 'carrying over persistent files',
  await_activation: 'waiting until the vehicle is in a state for switching the boot choice',
  activate: 'switching the boot choice to the new release',
  await_children: 'waiting for the children before the reboot',
  await_reboot: 'waiting until the vehicle is in a state for the reboot',
  reboot: 'rebooting',
  roll_back: 'switching the boot choice back to the old release',
  first_boot: 'checking the newly booted release',
} as const;
export type JournalStep = keyof typeof journalSteps;

/** The job that was running when the daemon or the ECU stopped. Holds no cookies. */
export interface JournalEntry {
  readonly sessionId: string;
  readonly requestId: string;
  readonly version: string;
  /** Empty for a rollback. */
  readonly url: string;
  /** Digest of the image's signed description; empty until it is verified. */
  readonly imageDigest: string;
  readonly step: JournalStep;
  /** Unix time in milliseconds. */
  readonly startedAt: number;
  readonly reachedAt: number;
  /** Every point that was reached, in order; a long list loses its middle. */
  readonly timeline: readonly TimelinePoint[];
  /** Crash records that were there before the switch; undefined when that is not known. */
  readonly crashRecords?: readonly string[] | undefined;
  /** The boot in which the switch was made; undefined before, and in journals of earlier releases. */
  readonly bootId?: string | undefined;
}

const schema = z.object({
  format: z.literal(1),
  sessionId: z.string(),
  requestId: z.string(),
  version: z.string(),
  url: z.string(),
  imageDigest: z.string(),
  step: z.enum(Object.keys(journalSteps) as JournalStep[]),
  startedAt: z.number(),
  reachedAt: z.number(),
  // Journals of earlier releases have the last point only.
  timeline: timelineSchema.optional(),
  crashRecords: z.array(z.string()).optional(),
  bootId: z.string().optional(),
});

const maxBytes = 64 * 1024;

/**
 * How far the running job has come, durable, so that the next start can tell what was interrupted. It only tells: what
 * happened is decided by the boot verdict. Errors: those of the file system.
 */
export class Journal {
  readonly #path: string;
  #entry: JournalEntry | undefined;

  private constructor(path: string, entry: JournalEntry | undefined) {
    this.#path = path;
    this.#entry = entry;
  }

  /** Opens `path` with what the last life of the daemon left in it. A journal of another format tells nothing. */
  static async open(path: string): Promise<Journal> {
    await makeDirectoryDurably(dirname(path), 0o700);
    await sweepTemporaries(dirname(path));
    const read = schema.safeParse(await readSmallJson(path, maxBytes));
    if (!read.success) return new Journal(path, undefined);
    const { format: _, timeline, ...entry } = read.data;
    const last = { step: entry.step, at: entry.reachedAt };
    return new Journal(path, { ...entry, timeline: timeline ?? [last] });
  }

  /** The running job, or the one that was interrupted; undefined when none was. */
  get entry(): JournalEntry | undefined {
    return this.#entry;
  }

  async begin(
    step: JournalStep,
    job: { readonly requestId: string; readonly version: string; readonly url: string },
  ): Promise<void> {
    const now = Date.now();
    const { requestId, version, url } = job;
    const sessionId = newSessionId(version, now);
    await this.#write({
      sessionId,
      requestId,
      version,
      url,
      imageDigest: '',
      step,
      startedAt: now,
      reachedAt: now,
      timeline: [{ step, at: now }],
    });
  }

  /** Does nothing when no job was begun. */
  async reach(
    step: JournalStep,
    facts: Partial<Pick<JournalEntry, 'imageDigest' | 'crashRecords' | 'bootId'>> = {},
  ): Promise<void> {
    if (this.#entry === undefined) return;
    const now = Date.now();
    const timeline = withPoint(this.#entry.timeline, step, now);
    await this.#write({ ...this.#entry, ...facts, step, reachedAt: now, timeline });
  }

  async clear(): Promise<void> {
    this.#entry = undefined;
    await removeDurably(this.#path);
  }

  async #write(entry: JournalEntry): Promise<void> {
    this.#entry = entry;
    await writeDurably(this.#path, JSON.stringify({ format: 1, ...entry }), 0o600);
  }
}

/** `<unix seconds>-<version without characters that file names cannot carry>-<8 hex>`, as existing clients make it. */
export function newSessionId(version: string, now: number): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  const cleaned = version.replace(/[./<>:"\\|?*\x00-\x1f\x7f]/g, '_');
  return `${Math.floor(now / 1000)}-${cleaned}-${randomBytes(4).toString('hex')}`;
}
