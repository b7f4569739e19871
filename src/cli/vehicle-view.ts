import { updatePhases } from '#domain/phase.ts';
import type { UpdateProgress } from '#domain/progress.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { VehicleReport } from '#ecu/ecu.ts';

/**
 * One ECU as it is shown. `reported`: in the newest answer. `silent`: was in an earlier answer, is not in the newest.
 * `unseen`: listed by the configuration only.
 */
export interface EcuRow {
  readonly ecuId: string;
  /** The ECU above it; empty where that is not known. */
  readonly parentEcuId: string;
  readonly presence: 'reported' | 'silent' | 'unseen';
  /** The last status that is known. */
  readonly status: EcuStatus | undefined;
  /** Unix time in milliseconds of that status. */
  readonly seenAt: number | undefined;
  /** 0 to 99 while the ECU updates; never goes back within one update. Undefined otherwise. */
  readonly percent: number | undefined;
  /** Bytes of finished files per second, whatever their source. Undefined when nothing can be said. */
  readonly bytesPerSecond: number | undefined;
  /** Bytes received over the network per second. */
  readonly wireBytesPerSecond: number | undefined;
  /** Estimate of the milliseconds until every file is in place. Undefined when nothing can be said. */
  readonly remainingMs: number | undefined;
}

/** A vehicle at one moment, ready to be shown. */
export interface VehicleState {
  readonly rows: readonly EcuRow[];
  readonly availableEcuIds: readonly string[];
  /** Why there is no newer answer, while the daemon does not answer; undefined while it does. */
  readonly lost: string | undefined;
}

const firstPhaseAfterFiles = updatePhases.indexOf('PROCESSING_POSTUPDATE');

/** Whether files are still being put in place. */
function isPlacing({ phase }: UpdateProgress): boolean {
  return updatePhases.indexOf(phase) < firstPhaseAfterFiles;
}

/** Bytes of the files that are in place. */
function bytesDone(progress: UpdateProgress): number {
  return progress.copy.bytes + progress.link.bytes + progress.download.bytes;
}

/** Files that are in place. */
function filesDone(progress: UpdateProgress): number {
  return progress.copy.files + progress.link.files + progress.download.files;
}

/** How far an update is, 0 to 99: the share of bytes in place. 100 is for a confirmed release only. */
export function percentOf(progress: UpdateProgress): number {
  const phase = updatePhases.indexOf(progress.phase);
  if (phase >= firstPhaseAfterFiles && progress.phase !== 'DOWNLOADING_OTA_CLIENT') return 99;
  const [done, total] =
    progress.totalBytes > 0
      ? [bytesDone(progress), progress.totalBytes]
      : [filesDone(progress), progress.totalFiles];
  if (total <= 0) return 0;
  return Math.min(99, Math.max(0, Math.floor((done / total) * 99)));
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
  readonly wireBytes: number;
}

interface Memory {
  status: EcuStatus;
  seenAt: number;
  percent: number;
  samples: Sample[];
}

/** Rates are taken over this long, so that they neither jump nor lag. */
const rateWindowMs = 5000;

/** What remains is told from a longer time: it is read at leisure, and one large file must not turn it upside down. */
const outlookWindowMs = 20_000;
const shortestOutlookMs = 3000;

/** A peer without clock agreement may count elapsed time a little back within one update. */
const elapsedToleranceMs = 2000;

function isSameUpdate(before: UpdateProgress, after: UpdateProgress): boolean {
  return (
    before.targetVersion === after.targetVersion && after.elapsedMs >= before.elapsedMs - elapsedToleranceMs
  );
}

/** The samples of the window, or after a longer silence the last one before it. */
function recent(samples: readonly Sample[], now: number): Sample[] {
  const inWindow = samples.filter((sample) => now - sample.at <= outlookWindowMs);
  return inWindow.length > 0 ? inWindow : samples.slice(-1);
}

function rate(
  samples: readonly Sample[],
  of: (sample: Sample) => number,
  windowMs = rateWindowMs,
): number | undefined {
  const last = samples.at(-1);
  const first =
    samples.find((sample) => sample !== last && last !== undefined && last.at - sample.at <= windowMs) ??
    samples.at(-2);
  if (first === undefined || last === undefined || last.at - first.at < 200) return undefined;
  return Math.max(0, ((of(last) - of(first)) * 1000) / (last.at - first.at));
}

/** How long it takes until every file is in place, if it goes on as in the last seconds. */
function remaining(progress: UpdateProgress, samples: readonly Sample[]): number | undefined {
  const left = progress.totalBytes - bytesDone(progress);
  if (left <= 0) return undefined;
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < shortestOutlookMs) return undefined;
  const perSecond = rate(samples, (sample) => sample.bytes, outlookWindowMs);
  return perSecond === undefined || perSecond <= 0 ? undefined : (left * 1000) / perSecond;
}

/** The whole update's mean rates: all that one single answer can tell. */
function meanRates(progress: UpdateProgress): Pick<EcuRow, 'bytesPerSecond' | 'wireBytesPerSecond'> {
  const mean = (bytes: number, ms: number): number | undefined =>
    ms > 0 && bytes > 0 ? (bytes * 1000) / ms : undefined;
  return {
    bytesPerSecond: mean(bytesDone(progress), progress.elapsedMs),
    wireBytesPerSecond: mean(progress.wireBytes, progress.download.elapsedMs || progress.downloadingMs),
  };
}

/** Remembers what earlier answers said, so that rows do not vanish, progress does not go back and rates can be told. */
export class VehicleView {
  readonly #memories = new Map<string, Memory>();
  #available: readonly string[] = [];
  #reported: ReadonlySet<string> = new Set();

  /** Takes an answer that came at `now` (Unix time in milliseconds). */
  observe(report: VehicleReport, now: number): VehicleState {
    this.#available = report.availableEcuIds;
    this.#reported = new Set(report.ecus.map((ecu) => ecu.ecuId));
    for (const ecu of report.ecus) this.#remember(ecu, now);
    return this.#state(undefined);
  }

  /** Takes note that the daemon does not answer, and why. */
  lose(reason: string): VehicleState {
    return this.#state(reason);
  }

  #remember(status: EcuStatus, now: number): void {
    const before = this.#memories.get(status.ecuId);
    const progress = status.progress;
    const earlier = before?.status.progress;
    const goesOn =
      before !== undefined &&
      progress !== undefined &&
      earlier !== undefined &&
      isSameUpdate(earlier, progress);
    const samples = goesOn ? recent(before.samples, now) : [];
    if (progress !== undefined) {
      samples.push({ at: now, bytes: bytesDone(progress), wireBytes: progress.wireBytes });
    }
    const percent = progress === undefined ? 0 : percentOf(progress);
    this.#memories.set(status.ecuId, {
      status,
      seenAt: now,
      percent: goesOn ? Math.max(before.percent, percent) : percent,
      samples,
    });
  }

  #state(lost: string | undefined): VehicleState {
    const others = [...this.#memories.keys()].filter((id) => !this.#available.includes(id));
    const rows = [...this.#available, ...others].map((id) => this.#row(id, lost !== undefined));
    return { rows, availableEcuIds: this.#available, lost };
  }

  #row(ecuId: string, lost: boolean): EcuRow {
    const memory = this.#memories.get(ecuId);
    const none = {
      percent: undefined,
      bytesPerSecond: undefined,
      wireBytesPerSecond: undefined,
      remainingMs: undefined,
    };
    if (memory === undefined) {
      return {
        ecuId,
        parentEcuId: '',
        presence: 'unseen',
        status: undefined,
        seenAt: undefined,
        ...none,
      };
    }
    const { status, seenAt, percent, samples } = memory;
    const presence = !lost && this.#reported.has(ecuId) ? 'reported' : 'silent';
    const base = { ecuId, parentEcuId: status.parentEcuId ?? '', presence, status, seenAt } as const;
    if (status.progress === undefined) return { ...base, ...none };
    if (presence === 'silent') return { ...base, ...none, percent };
    // After the files there is nothing to tell but zeros.
    if (!isPlacing(status.progress)) return { ...base, ...none, percent };
    if (samples.length < 2)
      return { ...base, percent, ...meanRates(status.progress), remainingMs: undefined };
    return {
      ...base,
      percent,
      bytesPerSecond: rate(samples, (sample) => sample.bytes),
      wireBytesPerSecond: rate(samples, (sample) => sample.wireBytes),
      remainingMs: remaining(status.progress, samples),
    };
  }
}
