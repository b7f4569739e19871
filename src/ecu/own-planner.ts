import { readSlots } from '#boot/open-slots.ts';
import type { LoadedConfig } from '#config/load.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import { isBusy } from '#domain/status.ts';
import { defaultWorkerCount } from '#host/worker-crew.ts';
import { defaultTuning } from '#net/http-tuning.ts';
import { failureOf } from '#update/failure-of.ts';
import { type MeasuredPlan, planRelease } from '#update/plan-release.ts';
import type { UpdatePlan } from '#update/plan-update.ts';
import { Quarantine } from '#update/quarantine.ts';
import { validateUpdateRequest } from '#update/request.ts';
import { checkSpace } from '#update/space.ts';
import type { LocalEcu } from './ecu.ts';

/** What an update of this ECU would do. */
export interface OwnPlan {
  /** Undefined when there can be none now; `unknownReason` says why. */
  readonly plan: UpdatePlan | undefined;
  /** Milliseconds until the reboot; undefined when nothing was measured that could tell. */
  readonly durationMs: number | undefined;
  /** Why the update would be refused now, in words; empty when it would not. */
  readonly refusals: readonly string[];
  readonly unknownReason: string;
}

export interface OwnPlannerParts {
  readonly config: LoadedConfig;
  readonly local: LocalEcu;
  readonly clientVersion: string;
  readonly log: Log;
}

/** Plans that may wait for the one that is being made. */
const maxWaiting = 3;
/** Less says nothing about a network. */
const leastWireBytes = 262_144;

/**
 * Plans updates of the own ECU beside its daemon, one at a time, as `ota plan` does: with slots of its own that are only
 * read. An update that begins meanwhile ends the plan.
 */
export class OwnPlanner {
  readonly #parts: OwnPlannerParts;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** Bytes of files per millisecond, of the last update that downloaded a lot. */
  #downloadRate: number | undefined;

  constructor(parts: OwnPlannerParts) {
    this.#parts = parts;
    // For as long as the ECU lives: it lets its listeners go itself.
    parts.local.subscribe(({ progress }) => {
      if (progress === undefined || progress.wireBytes < leastWireBytes || progress.downloadingMs < 500)
        return;
      this.#downloadRate = progress.download.bytes / progress.downloadingMs;
    });
  }

  /** Never rejects but with the signal's reason. */
  async plan(entry: UpdateRequestEntry, signal: AbortSignal): Promise<OwnPlan> {
    if (this.#waiting > maxWaiting) return unknown('other plans are being made: ask again in a moment', []);
    this.#waiting += 1;
    const turn = this.#last.then(() => this.#plan(entry, signal));
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #plan(entry: UpdateRequestEntry, signal: AbortSignal): Promise<OwnPlan> {
    signal.throwIfAborted();
    const { local, log } = this.#parts;
    const request = validateUpdateRequest(entry, 'plan');
    if (request instanceof OtaFailure) return unknown(request.reason, [request.reason]);
    const status = local.status();
    const refusal = local.refusalNow();
    const refusals = refusal === undefined ? [] : [refusal.reason];
    if (status === undefined || isBusy(status.status)) return unknown('the ECU is at work', refusals);
    if (refusal?.code === 'configuration_invalid' || refusal?.code === 'boot_control_startup') {
      return unknown(refusal.reason, refusals);
    }
    const stop = new AbortController();
    const unsubscribe = local.subscribe((now) => {
      if (isBusy(now.status)) stop.abort();
    });
    try {
      return await this.#measure(request, refusals, AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (stop.signal.aborted)
        return unknown('an update has begun', [new OtaFailure('busy', 'updating').reason]);
      const failure = failureOf(error, 'unspecific');
      log.info({ err: error }, 'no plan could be made');
      return unknown(failure.reason, [...refusals, failure.reason]);
    } finally {
      unsubscribe();
    }
  }

  async #measure(
    request: Exclude<ReturnType<typeof validateUpdateRequest>, OtaFailure>,
    refusals: readonly string[],
    signal: AbortSignal,
  ): Promise<OwnPlan> {
    const { config, clientVersion, log } = this.#parts;
    const { options } = config;
    await using slots = await readSlots({ config, log });
    const { proxyUrl, ...download } = options.download;
    const setting = {
      tree: await slots.look(signal),
      trustDirectory: options.trust.directory,
      tuning: { ...defaultTuning, ...download },
      proxy: proxyUrl === undefined ? undefined : new URL(proxyUrl),
      workers: options.workers.count === 0 ? defaultWorkerCount() : options.workers.count,
      clientVersion,
    };
    const measured = await planRelease(request, setting, signal);
    const { plan } = measured;
    const release = { version: request.version, imageDigest: plan.imageDigest };
    const quarantined = request.force === true ? undefined : await new Quarantine(slots).refusal(release);
    return {
      plan,
      durationMs: this.#duration(measured),
      refusals: [
        ...refusals,
        ...(quarantined === undefined ? [] : [quarantined.reason]),
        ...refusedSpace(plan),
      ],
      unknownReason: '',
    };
  }

  /**
   * An update verifies and reads what the plan has verified and read just now, and writes as much as it reads, which takes
   * about as long again. Downloads go at the rate of the last update, or else of the metadata.
   */
  #duration({ plan, wireBytes, verifyMs, scanMs }: MeasuredPlan): number | undefined {
    const metadataRate = wireBytes >= leastWireBytes && verifyMs > 0 ? wireBytes / verifyMs : undefined;
    const rate = this.#downloadRate ?? metadataRate;
    const { bytes } = plan.download;
    if (bytes > 0 && (rate === undefined || rate <= 0)) return undefined;
    return verifyMs + 2 * scanMs + (bytes === 0 ? 0 : bytes / (rate ?? 1));
  }
}

function unknown(unknownReason: string, refusals: readonly string[]): OwnPlan {
  return { plan: undefined, durationMs: undefined, refusals, unknownReason };
}

function refusedSpace(plan: UpdatePlan): string[] {
  try {
    checkSpace(plan.space);
    return [];
  } catch (error) {
    return [failureOf(error, 'standby_slot_full').reason];
  }
}
