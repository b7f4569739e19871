import { setTimeout as pause } from 'node:timers/promises';
import type { Slots, SwitchKind } from '#boot/slots.ts';
import type { Log } from '#domain/log.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import type { ResetPlaces } from '#host/last-reset.ts';
import { readGuardNote, removeGuardNote } from '#update/health/guard-note.ts';
import { readTrialNotes } from '#update/health/trial-notes.ts';
import type { JournalEntry } from '#update/journal.ts';
import { composeFromNew, composeFromOld } from './compose.ts';
import { noteFirstBoot } from './first-boot-timeline.ts';
import type { BlackBox } from './record.ts';
import { readBlackBoxes, writeBlackBox } from './store.ts';

export interface RecorderParts {
  readonly slots: Slots;
  readonly log: Log;
  readonly resetPlaces: ResetPlaces;
  /** Milliseconds that looking for evidence may take: a return must not wait for a log. */
  readonly evidenceLimitMs?: number;
  /** Milliseconds for everything together, writes included. */
  readonly limitMs?: number;
}

/**
 * Writes the black box of an automatic return: first the release that gives itself up, as long as it can; then the one
 * that runs again. Nothing here rejects or takes longer than its time: what fails is logged, and the return goes on.
 */
export class BlackBoxRecorder {
  readonly #parts: RecorderParts;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** On the first boot of a release: it has come to `step`. */
  async note(step: string): Promise<void> {
    await this.#try('timeline of the first boot', () => noteFirstBoot(this.#parts.slots, step));
  }

  /** By the release that is given up, for the slot that is booted next; before the boot choice is touched. */
  async beforeReturn(end: TrialEnd): Promise<void> {
    const { slots } = this.#parts;
    await this.note('giving_up');
    await this.#try('black box', async (signal) => {
      const box = await composeFromNew(slots, end, signal);
      await slots.withArchive('standby', 'write', (archive) => writeBlackBox(archive, box));
    });
  }

  /** By the release that runs again. The whole black box, durable; undefined when it could not be written. */
  async afterReturn(of: SwitchKind, entry: JournalEntry | undefined): Promise<BlackBox | undefined> {
    const { slots, resetPlaces } = this.#parts;
    return this.#try('black box', async (signal) => {
      const { boxes } = await slots.withArchive('current', 'read', readBlackBoxes);
      // A power cut kept the failure from being recorded, but not the black box.
      const done = boxes.findLast((box) => box.complete && box.session_id === entry?.sessionId);
      if (done !== undefined) return done;
      const box = await composeFromOld({ slots, resetPlaces, boxes, of, entry }, signal);
      await slots.withArchive('current', 'write', async (archive) => {
        await writeBlackBox(archive, box);
        await removeGuardNote(archive);
      });
      return box;
    });
  }

  /** Whether the release in the standby slot was really booted: it, or the guard beside it, left a trace. */
  async wasTried(): Promise<boolean> {
    const { slots } = this.#parts;
    const trial = await this.#try('notes of the other release', () =>
      slots.withArchive('standby', 'read', readTrialNotes),
    );
    const guard = await this.#try('note of the guard', () =>
      slots.withArchive('current', 'read', readGuardNote),
    );
    return trial !== undefined || guard !== undefined;
  }

  async #try<T>(what: string, work: (evidence: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { log, evidenceLimitMs = 8000, limitMs = 15_000 } = this.#parts;
    const over = new AbortController();
    const late = pause(limitMs, undefined, { signal: over.signal }).then(() => {
      throw new Error(`it took longer than ${limitMs} ms`);
    });
    try {
      return await Promise.race([work(AbortSignal.timeout(evidenceLimitMs)), late]);
    } catch (error) {
      log.error({ err: error }, `${what} could not be kept`);
      return undefined;
    } finally {
      over.abort();
      late.catch(() => {});
    }
  }
}
