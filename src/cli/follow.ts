import type { EcuStatus } from '#domain/status.ts';
import { isBusy } from '#domain/status.ts';
import type { Cause } from './outcome.ts';
import { causeOfEnd } from './outcome.ts';

/** An ECU whose job is waited for. */
export interface Followed {
  readonly ecuId: string;
  /** Version it must run at the end; undefined when any will do (rollback, abort). */
  readonly version: string | undefined;
  /** Whether the job is to be stopped (abort) and not to be done. */
  readonly isStopped?: boolean;
}

/** How an ECU's job ended. */
export interface JobEnd {
  readonly ecuId: string;
  readonly ok: boolean;
  /** Why not, when it is not ok. */
  readonly cause: Cause | undefined;
  readonly status: EcuStatus;
  /** What happened, in one line; for a failure why. */
  readonly message: string;
}

/**
 * A snapshot that does not change after the request may be an old one (a parent polls an idle child every 10 s), or the
 * job was over between two polls. After this long the second is taken to be true.
 */
const staleSnapshotMs = 15_000;

/** A bad end must be seen this often in a row: daemons that restart may show the status of the interrupted boot. */
const badSightings = 2;

interface Sighting {
  readonly followed: Followed;
  readonly before: EcuStatus | undefined;
  wasBusy: boolean;
  bad: number;
  end: JobEnd | undefined;
}

function fingerprint(status: EcuStatus | undefined): string {
  return JSON.stringify([status?.status, status?.firmwareVersion, status?.failure?.reason]);
}

function judge(followed: Followed, status: EcuStatus): JobEnd {
  const { ecuId, version, isStopped = false } = followed;
  const end = { ecuId, status, ok: true, cause: undefined };
  const runs = `runs ${status.firmwareVersion || 'a release without a version'}`;
  const reason = status.failure?.reason ?? '';
  const said = reason === '' ? status.status : `${status.status}: ${reason}`;
  if (isStopped) {
    if (status.status === 'ABORTED') return { ...end, message: runs };
    return {
      ...end,
      ok: false,
      cause: 'failed',
      message: `${said}; it had ended before it could be stopped`,
    };
  }
  if (status.status !== 'SUCCESS') return { ...end, ok: false, cause: causeOfEnd(status), message: said };
  if (version !== undefined && status.firmwareVersion !== version) {
    const message = `SUCCESS, but it ${runs}, not ${version}`;
    return { ...end, ok: false, cause: 'failed', message };
  }
  return { ...end, message: runs };
}

/** Tells from Status answers when the jobs that a request started have ended, and how. */
export class Follow {
  readonly #sightings: readonly Sighting[];
  readonly #since: number;

  /** `before`: what the ECUs said before the request. `since`: when it was accepted (Unix time in milliseconds). */
  constructor(followed: readonly Followed[], before: readonly EcuStatus[], since: number) {
    this.#since = since;
    this.#sightings = followed.map((one) => ({
      followed: one,
      before: before.find((status) => status.ecuId === one.ecuId),
      wasBusy: false,
      bad: 0,
      end: undefined,
    }));
  }

  /** Takes an answer that came at `now` (Unix time in milliseconds). */
  observe(ecus: readonly EcuStatus[], now: number): void {
    for (const sighting of this.#sightings) {
      const status = ecus.find((one) => one.ecuId === sighting.followed.ecuId);
      if (status !== undefined && sighting.end === undefined) this.#see(sighting, status, now);
    }
  }

  /** The jobs that have ended so far. */
  get ends(): readonly JobEnd[] {
    return this.#sightings.flatMap(({ end }) => (end === undefined ? [] : [end]));
  }

  /** ECUs whose job has not ended. */
  get open(): readonly string[] {
    return this.#sightings.filter(({ end }) => end === undefined).map(({ followed }) => followed.ecuId);
  }

  #see(sighting: Sighting, status: EcuStatus, now: number): void {
    if (isBusy(status.status)) {
      sighting.wasBusy = true;
      sighting.bad = 0;
      return;
    }
    const changed = sighting.wasBusy || fingerprint(status) !== fingerprint(sighting.before);
    if (!changed && now - this.#since < staleSnapshotMs) return;
    const end = judge(sighting.followed, status);
    sighting.bad = end.ok ? 0 : sighting.bad + 1;
    if (end.ok || sighting.bad >= badSightings) sighting.end = end;
  }
}
