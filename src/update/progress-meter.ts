import type { ProgressPhase, UpdatePhase } from '#domain/phase.ts';
import { progressPhases, updatePhases } from '#domain/phase.ts';
import type { UpdateProgress, WorkDone } from '#domain/progress.ts';

/** The three kinds of work by which a regular file gets into the standby slot. */
export type WorkKind = 'copy' | 'link' | 'download';

/** Milliseconds of wall-clock time in which at least one holder was inside. */
class Stopwatch {
  #inside = 0;
  #since = 0;
  #total = 0;

  enter(): void {
    if (this.#inside++ === 0) this.#since = performance.now();
  }

  leave(): void {
    if (--this.#inside === 0) this.#total += performance.now() - this.#since;
  }

  /** Ends all holders: the work was cut short. */
  stop(): void {
    if (this.#inside > 0) this.#total += performance.now() - this.#since;
    this.#inside = 0;
  }

  get elapsedMs(): number {
    return this.#total + (this.#inside > 0 ? performance.now() - this.#since : 0);
  }
}

/** Where the meter reads how far the workers are. */
export interface WorkCounters {
  total(
    field:
      | 'copyFiles'
      | 'copyBytes'
      | 'linkFiles'
      | 'linkBytes'
      | 'downloadFiles'
      | 'downloadBytes'
      | 'removed',
  ): number;
}

/**
 * Counts one update. The engine adds, readers take snapshots; phases only go forward.
 * Elapsed times are wall-clock: two copies side by side for one second count as one second.
 */
export class ProgressMeter {
  readonly #targetVersion: string;
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  readonly #clocks: Record<WorkKind, Stopwatch> = {
    copy: new Stopwatch(),
    link: new Stopwatch(),
    download: new Stopwatch(),
  };
  #counters: WorkCounters = { total: () => 0 };
  readonly #phaseStarts = new Map<UpdatePhase, number>();
  #phase: UpdatePhase = 'INITIALIZING';
  #step: ProgressPhase = 'INITIAL';
  #listener: () => void = () => {};
  totalFiles = 0;
  totalBytes = 0;
  filesToDownload = 0;
  bytesToDownload = 0;
  wireBytes = 0;
  downloadErrors = 0;
  filesToRemove = 0;

  constructor(targetVersion: string) {
    this.#targetVersion = targetVersion;
    this.#phaseStarts.set('INITIALIZING', this.#started);
  }

  /** Called on every change of phase or step; counts change too often for that, readers poll them. */
  set onPhase(listener: () => void) {
    this.#listener = listener;
  }

  /** Goes forward to a phase and step; going backward is ignored, so that each appears at most once. */
  enter(phase: UpdatePhase, step: ProgressPhase): void {
    const before = `${this.#phase}/${this.#step}`;
    if (updatePhases.indexOf(phase) > updatePhases.indexOf(this.#phase)) {
      this.#phase = phase;
      this.#phaseStarts.set(phase, performance.now());
    }
    if (progressPhases.indexOf(step) > progressPhases.indexOf(this.#step)) this.#step = step;
    if (before !== `${this.#phase}/${this.#step}`) this.#listener();
  }

  /** From now on files and bytes are read from these counters. */
  watch(counters: WorkCounters): void {
    this.#counters = counters;
  }

  /** The clock of one kind of work; enter and leave around each piece of it. */
  stopwatch(kind: WorkKind): Stopwatch {
    return this.#clocks[kind];
  }

  snapshot(): UpdateProgress {
    return {
      targetVersion: this.#targetVersion,
      startedAt: this.#startedAt,
      phase: this.#phase,
      step: this.#step,
      totalFiles: this.totalFiles,
      totalBytes: this.totalBytes,
      copy: this.#done('copy'),
      link: this.#done('link'),
      download: this.#done('download'),
      filesToDownload: this.filesToDownload,
      bytesToDownload: this.bytesToDownload,
      wireBytes: this.wireBytes,
      downloadErrors: this.downloadErrors,
      filesToRemove: this.filesToRemove,
      filesRemoved: this.#counters.total('removed'),
      elapsedMs: Math.round(performance.now() - this.#started),
      deltaMs: this.#between('CALCULATING_DELTA', 'DOWNLOADING_OTA_FILES'),
      downloadingMs: this.#between('DOWNLOADING_OTA_FILES', 'APPLYING_UPDATE'),
      applyingMs: this.#between('APPLYING_UPDATE', 'PROCESSING_POSTUPDATE'),
    };
  }

  #done(kind: WorkKind): WorkDone {
    return {
      files: this.#counters.total(`${kind}Files`),
      bytes: this.#counters.total(`${kind}Bytes`),
      elapsedMs: Math.round(this.#clocks[kind].elapsedMs),
    };
  }

  #between(from: UpdatePhase, to: UpdatePhase): number {
    const start = this.#phaseStarts.get(from);
    if (start === undefined) return 0;
    return Math.round((this.#phaseStarts.get(to) ?? performance.now()) - start);
  }
}
