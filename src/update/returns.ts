import type { BootVerdict, SwitchKind } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { FailureReport } from '#domain/status.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import { listCrashRecords } from '#host/last-reset.ts';
import type { BlackBox } from './black-box/record.ts';
import { returnCauses } from './black-box/record.ts';
import type { RecorderParts } from './black-box/recorder.ts';
import { BlackBoxRecorder } from './black-box/recorder.ts';
import { redacted } from './black-box/redact.ts';
import { maxReportChars, reportOf } from './failure-report.ts';
import type { JournalEntry, JournalStep } from './journal.ts';
import { journalSteps } from './journal.ts';
import type { ReleaseName } from './quarantine.ts';
import { Quarantine } from './quarantine.ts';

/** So many names have room in the journal. */
const maxCrashRecords = 200;

/** While these run, the words of the slots may tell of a switch that is not made yet. */
const stepsBeforeSwitch: ReadonlySet<JournalStep> = new Set(['await_activation', 'activate', 'roll_back']);

type FellBack = Extract<BootVerdict, { kind: 'fell_back' }>;

export interface ReturnsParts extends RecorderParts {
  /** Names the boot that runs; undefined where that cannot be told. */
  readonly bootId?: string;
}

/**
 * What becomes of a release that this ECU comes back from by itself: a black box tells about it, and it is quarantined.
 * Only `admit` rejects; what else fails is logged, and the ECU goes on.
 */
export class Returns {
  readonly #parts: ReturnsParts;
  readonly #recorder: BlackBoxRecorder;
  readonly #quarantine: Quarantine;

  constructor(parts: ReturnsParts) {
    this.#parts = parts;
    this.#recorder = new BlackBoxRecorder(parts);
    this.#quarantine = new Quarantine(parts.slots);
  }

  /** Before anything is written for a release. Errors: OtaFailure `quarantined`, unless it is forced. */
  async admit(release: ReleaseName, forced: boolean): Promise<void> {
    const { log } = this.#parts;
    const refusal = await this.#logged('quarantine could not be read', async () => {
      const { problem } = await this.#quarantine.list();
      if (problem !== undefined) log.warn({}, problem);
      return this.#quarantine.refusal(release);
    });
    if (refusal === undefined) return;
    if (!forced) throw refusal;
    log.warn({ version: release.version }, `forced: ${refusal.detail}`);
  }

  /**
   * What the journal keeps of the time before a switch: the boot, and the crash records that are there, which are
   * undefined when they cannot be told from new ones.
   */
  async beforeSwitch(): Promise<Pick<JournalEntry, 'bootId' | 'crashRecords'>> {
    const records = await listCrashRecords(this.#parts.resetPlaces);
    return {
      bootId: this.#parts.bootId,
      crashRecords: records.length > maxCrashRecords ? undefined : records,
    };
  }

  /** The first boot of a release begins. */
  async begun(): Promise<void> {
    await this.#recorder.note('first_boot');
  }

  /** The running release is given up; the boot choice is not touched yet. */
  async givenUp(end: TrialEnd): Promise<void> {
    await this.#recorder.beforeReturn(end);
  }

  /** The running release was confirmed: it is good, whatever was thought of it. */
  async confirmed(): Promise<void> {
    const { slots, log } = this.#parts;
    const off = await this.#logged('quarantine could not be changed', async () => {
      return this.#quarantine.remove(await slots.current());
    });
    if (off !== undefined && off.length > 0) log.info({}, 'the running release is not quarantined any more');
  }

  /** The ECU came back from the other slot, or never got there. Why, for Status. */
  async settled(verdict: FellBack, entry: JournalEntry | undefined): Promise<FailureReport> {
    const { of } = verdict;
    // Only the daemon was started again: the reboot never came.
    const { bootId } = this.#parts;
    if (entry !== undefined && bootId !== undefined && entry.bootId === bootId) {
      return reportOf(interrupted(entry));
    }
    // Cut off between the words of the slots and the boot choice: the other slot was never tried.
    const between = entry !== undefined && stepsBeforeSwitch.has(entry.step) ? entry : undefined;
    if (between !== undefined && verdict.failure === undefined && !(await this.#recorder.wasTried())) {
      return reportOf(interrupted(between));
    }
    const box = await this.#recorder.afterReturn(of, entry);
    // A machine that is switched off is no fault of the release, where it could still say so.
    if (of === 'update' && box?.cause !== 'switched_off') await this.#quarantineLeft(box, entry);
    const report = verdict.failure ?? reportOf(failureOfReturn(of, box, entry));
    // What a probe said may be in it.
    const [reason, traceback] = [redacted(report.reason), redacted(report.traceback)];
    const see = box === undefined ? '' : ` (black box ${box.id})`;
    return { ...report, traceback, reason: `${reason.slice(0, maxReportChars - see.length)}${see}` };
  }

  async #quarantineLeft(box: BlackBox | undefined, entry: JournalEntry | undefined): Promise<void> {
    const version = box?.left.version ?? entry?.version ?? '';
    const imageDigest = box?.left.image_digest ?? entry?.imageDigest ?? '';
    // Without a digest nothing could be told from another release.
    if (imageDigest === '') return;
    await this.#logged('release could not be quarantined', () =>
      this.#quarantine.add({
        version,
        imageDigest,
        at: Date.now(),
        why: returnCauses[box?.cause ?? 'not_booted'],
        blackBox: box?.id ?? '',
      }),
    );
  }

  async #logged<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#parts.log.error({ err: error }, what);
      return undefined;
    }
  }
}

/** A job that was cut off, and what it was doing. */
export function interrupted(entry: JournalEntry): OtaFailure {
  const at = new Date(entry.reachedAt).toISOString();
  const job = entry.url === '' ? 'rollback to' : 'update to';
  return new OtaFailure(
    'interrupted',
    `${job} version ${entry.version} was cut off while ${journalSteps[entry.step]}, begun at ${at}`,
  );
}

/** The new release left no reason of its own: what the black box says. */
function failureOfReturn(
  of: SwitchKind,
  box: BlackBox | undefined,
  entry: JournalEntry | undefined,
): OtaFailure {
  const version = box?.left.version ?? entry?.version ?? '';
  const release = version === '' ? 'the release' : `release ${version}`;
  const cause = returnCauses[box?.cause ?? 'not_booted'];
  const detail = box === undefined || box.detail === '' ? '' : ` (${box.detail})`;
  const interruption = box?.cause === 'switched_off' ? 'interrupted' : 'fell_back';
  return new OtaFailure(
    of === 'update' ? interruption : 'rollback_failed',
    `${release} was left because ${cause}${detail}`,
  );
}
