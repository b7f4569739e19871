import type { EcuId } from '#domain/ecu.ts';
import { updatePhases } from '#domain/phase.ts';
import type { UpdateProgress } from '#domain/progress.ts';
import type { EcuStatus } from '#domain/status.ts';

/** How an update goes, for people. */
export interface Outlook {
  /** What the percentages are of: the running update, or the one that was committed last. */
  readonly progress: UpdateProgress;
  /** 0 to 99 while it runs, never going back; 100 once it is committed. */
  readonly percent: number;
  /** Bytes placed per second over the last seconds, whatever their source. */
  readonly bytesPerSecond: number;
  /** Milliseconds until all files are in place; undefined while nothing can be said. */
  readonly remainingMs: number | undefined;
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

interface Course {
  readonly progress: UpdateProgress;
  readonly percent: number;
  readonly committed: boolean;
  readonly samples: readonly Sample[];
}

/** Rates are taken over this long, so that they neither jump nor lag. Milliseconds. */
const windowMs = 8000;
/** Of a shorter stretch nothing is told. */
const leastStretchMs = 1000;
/** Longer than this nobody believes an estimate. */
const mostRemainingMs = 24 * 3600 * 1000;

const firstPhaseAfterFiles = updatePhases.indexOf('PROCESSING_POSTUPDATE');

/** Remembers the course of every ECU's update, so that progress does not go back and rates can be told. */
export class ProgressOutlook {
  readonly #courses = new Map<EcuId, Course>();

  /** Takes a status as it is at `now`, monotonic milliseconds. Undefined when there is no update to tell of. */
  observe(status: EcuStatus, now: number): Outlook | undefined {
    const course = nextCourse(this.#courses.get(status.ecuId), status, now);
    if (course === undefined) {
      this.#courses.delete(status.ecuId);
      return undefined;
    }
    this.#courses.set(status.ecuId, course);
    const { progress, percent, committed } = course;
    const bytesPerSecond = committed ? 0 : rateOf(course.samples, now);
    return { progress, percent, bytesPerSecond, remainingMs: remaining(course, bytesPerSecond) };
  }
}

function nextCourse(before: Course | undefined, status: EcuStatus, now: number): Course | undefined {
  const { progress } = status;
  if (status.status === 'UPDATING') {
    if (progress === undefined) return before?.committed === false ? before : undefined;
    const goesOn = before !== undefined && !before.committed && isSameUpdate(before.progress, progress);
    const percent = percentOf(progress);
    const earlier = goesOn ? recent(before.samples, now) : [];
    return {
      progress,
      percent: goesOn ? Math.max(before.percent, percent) : percent,
      committed: false,
      samples: [...earlier, { at: now, bytes: bytesDone(progress) }],
    };
  }
  if (status.status !== 'SUCCESS' || before === undefined) return undefined;
  const { targetVersion } = before.progress;
  // Not what an update left that never was switched to.
  return targetVersion === status.firmwareVersion ? { ...before, percent: 100, committed: true } : undefined;
}

/**
 * A reboot within an update begins the counts anew, in a late phase; a new update begins in an early one. What has the
 * same start is the same.
 */
function isSameUpdate(before: UpdateProgress, after: UpdateProgress): boolean {
  if (before.targetVersion !== after.targetVersion) return false;
  const phase = updatePhases.indexOf(after.phase);
  return before.startedAt === after.startedAt || phase >= updatePhases.indexOf(before.phase);
}

/** The share of bytes in place; of files where all are empty. */
function percentOf(progress: UpdateProgress): number {
  const phase = updatePhases.indexOf(progress.phase);
  if (phase >= firstPhaseAfterFiles && progress.phase !== 'DOWNLOADING_OTA_CLIENT') return 99;
  const { copy, link, download, totalBytes, totalFiles } = progress;
  const [done, total] =
    totalBytes > 0
      ? [bytesDone(progress), totalBytes]
      : [copy.files + link.files + download.files, totalFiles];
  return total <= 0 ? 0 : Math.min(99, Math.max(0, Math.floor((done / total) * 99)));
}

function bytesDone({ copy, link, download }: UpdateProgress): number {
  return copy.bytes + link.bytes + download.bytes;
}

/** Those of the window, with the last before it as its beginning. */
function recent(samples: readonly Sample[], now: number): readonly Sample[] {
  const first = samples.findIndex(({ at }) => now - at <= windowMs);
  return first === -1 ? samples.slice(-1) : samples.slice(Math.max(0, first - 1));
}

function rateOf(samples: readonly Sample[], now: number): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || now - first.at < leastStretchMs) return 0;
  return Math.max(0, ((last.bytes - first.bytes) * 1000) / (now - first.at));
}

function remaining({ progress, committed }: Course, bytesPerSecond: number): number | undefined {
  const isPlacing = updatePhases.indexOf(progress.phase) < firstPhaseAfterFiles;
  if (committed || !isPlacing || bytesPerSecond <= 0 || progress.totalBytes === 0) return undefined;
  const ms = (1000 * Math.max(0, progress.totalBytes - bytesDone(progress))) / bytesPerSecond;
  return ms > mostRemainingMs ? undefined : ms;
}
