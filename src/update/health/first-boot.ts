import type { Slots } from '#boot/slots.ts';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import type { ResetPlaces } from '#host/last-reset.ts';
import { listCrashRecords, watchdogsThatReset } from '#host/last-reset.ts';
import type { SystemCourse } from '#host/system-state.ts';
import { probesHeld } from '#update/black-box/deduce.ts';
import { noteFirstBoot } from '#update/black-box/first-boot-timeline.ts';
import type { Askable, HealthCheck } from './probe.ts';
import { makeProbe } from './probe.ts';
import { ProbeBoard } from './probe-board.ts';
import { TrialFailure } from './trial-failure.ts';
import { TrialNotes } from './trial-notes.ts';
import { watchHealth } from './window.ts';

export interface FirstBootParts extends Askable {
  readonly slots: Slots;
  readonly checks: readonly HealthCheck[];
  readonly options: DaemonOptions['health'];
  /** Differs for each boot. */
  readonly bootId: string;
  /** Where the machine is going, asked when the daemon is told to end. */
  readonly course: () => Promise<SystemCourse>;
  readonly resetPlaces: ResetPlaces;
  readonly log: Log;
  /** What goes on, for people. */
  readonly tell: (line: string) => void;
}

/** After so many boots that tried to give a release up, the boot loader is not what it says: another reboot is no use. */
const mostEndings = 3;

/** Beyond what the options allow, for everything else that a first boot does. */
const marginMs = 60_000;

/**
 * The trial of a newly booted release: whether it is kept. Until it is, the boot choice leads back to the old one, except
 * that a release which passed all probes once is let boot again when the power fails while they are still to hold.
 */
export class FirstBoot implements AsyncDisposable {
  /** What the probes say while the release is judged. */
  readonly probes = new ProbeBoard();
  readonly #parts: FirstBootParts;
  readonly #notes: TrialNotes;
  #armed = false;
  #judging: Promise<void> = Promise.resolve();

  constructor(parts: FirstBootParts) {
    this.#parts = parts;
    this.#notes = new TrialNotes(parts.slots);
  }

  /** Milliseconds within which `judge` has come to an end. */
  get limitMs(): number {
    const { checks, options } = this.#parts;
    // A probe that was begun in time may take its own.
    const lastRound = checks.reduce((sum, { timeoutMs }) => sum + timeoutMs, 0);
    return options.startTimeoutMs + options.holdMs + 2 * lastRound + marginMs;
  }

  /**
   * Resolves when the release is to be kept. When it is aborted because the machine reboots, the next boot takes the old
   * one. Errors: TrialFailure, which says why it is not to be kept; BootError; the signal's reason.
   */
  judge(signal: AbortSignal): Promise<void> {
    const judging = this.#judge(signal);
    this.#judging = judging.catch(() => {});
    return judging;
  }

  /** Writes down why the release is given up. False: that was tried in several boots, and a reboot does not help. */
  async end(end: TrialEnd): Promise<boolean> {
    const boots = await this.#notes.end(end);
    if (boots <= mostEndings) return true;
    this.#parts.log.error(
      { boots },
      'the boot loader starts this release again and again; not rebooting any more',
    );
    return false;
  }

  /** Resolves when nothing is being judged any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#judging;
  }

  async #judge(signal: AbortSignal): Promise<void> {
    const { slots, options, checks, log, tell } = this.#parts;
    const restarted = await this.#begin();
    const { version } = await slots.current();
    const release = { root: slots.activeRoot, version };
    try {
      await watchHealth(
        {
          probes: this.probes.watched(checks.map((check) => makeProbe(check, release, this.#parts))),
          options,
          onPassed: () => this.#arm(restarted),
          tell: (line) => {
            log.info({}, line);
            tell(line);
          },
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) await this.#leave();
      throw error;
    } finally {
      this.probes.clear();
    }
  }

  /** Returns whether the daemon was started before in this boot. */
  async #begin(): Promise<boolean> {
    const { slots, bootId, resetPlaces, log } = this.#parts;
    const crashRecords = await listCrashRecords(resetPlaces);
    const soFar = await this.#notes.begin({ bootId, limitMs: this.limitMs, crashRecords });
    const { boots, restarted, newCrashRecords, end } = soFar;
    log.info({ boots, restarted }, `the running release is on trial; boot ${boots} of it`);
    // Whatever ended the last life of the daemon, it was not a power cut: no other boot is given for it.
    if (restarted) await slots.disarm();
    if (end !== undefined) throw new TrialFailure(end);
    if (newCrashRecords.length > 0) {
      throw new TrialFailure({
        cause: 'kernel_crash',
        detail: `the kernel crashed: see ${newCrashRecords.slice(0, 4).map(pathOf).join(', ')}`,
        probe: undefined,
      });
    }
    if (boots > 1 && !restarted) await this.#blameWatchdog();
    return restarted;
  }

  async #blameWatchdog(): Promise<void> {
    const watchdogs = await watchdogsThatReset(this.#parts.resetPlaces);
    if (watchdogs.length === 0) return;
    throw new TrialFailure({
      cause: 'watchdog_reset',
      detail: `the hardware watchdog ${watchdogs.join(', ')} reset the machine`,
      probe: undefined,
    });
  }

  async #arm(restarted: boolean): Promise<void> {
    const { slots, options, log } = this.#parts;
    if (restarted) {
      log.warn({}, 'the daemon was restarted in this boot: a power cut now leads back to the old release');
      return;
    }
    const most = options.powerCycles;
    // Even a renewal that fails may have been made.
    this.#armed = true;
    let renewed: Awaited<ReturnType<Slots['rearm']>>;
    try {
      renewed = await slots.rearm(most);
    } catch (error) {
      log.warn(
        { err: error },
        'the boot choice could not be renewed: a power cut leads back to the old release',
      );
      await this.#note(probesHeld);
      return;
    }
    const { armed, times } = renewed;
    this.#armed = armed;
    if (armed) log.info({ times, most }, 'a power cut now does not lead back to the old release');
    else log.warn({ times, most }, 'the power failed too often: one more cut leads back to the old release');
  }

  /** The daemon is told to end before it is decided. A machine that is switched off is no fault of the release. */
  async #leave(): Promise<void> {
    const { slots, course, log } = this.#parts;
    const where = await course();
    if (where === 'running') return;
    // For the black box: nobody else can tell an orderly reboot from a power cut afterwards.
    await this.#note(where);
    if (!this.#armed || where !== 'rebooting') return;
    log.warn({}, 'the machine reboots before the release was kept: it goes back to the old one');
    try {
      await slots.disarm();
    } catch (error) {
      log.error({ err: error }, 'the boot choice could not be taken back');
    }
  }

  async #note(step: string): Promise<void> {
    try {
      await noteFirstBoot(this.#parts.slots, step);
    } catch (error) {
      this.#parts.log.warn({ err: error }, `${step} could not be noted`);
    }
  }
}

function pathOf(record: string): string {
  return record.slice(0, record.indexOf(' '));
}
