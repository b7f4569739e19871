import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { builtInCampaign } from './campaign/default-campaign.ts';
import type { ClockJump } from './clock/clock-watch.ts';
import { SystemVehicleClock, type VehicleClock } from './clock/vehicle-clock.ts';
import type { Collector } from './collect/collector.ts';
import { openCollector } from './collect/open-collector.ts';
import type { DiagnosticsStatus } from './diagnostics-status.ts';
import type { Message } from './messages/types.ts';
import { type MetadataSource, segmentMetadata } from './segment-metadata.ts';
import { diagnosticsRoot, diagnosticsSignals } from './signals/overlay-diagnostics.ts';
import type { SignalStore } from './signals/signal-store.ts';
import type { Priority } from './spool/priority.ts';
import { Spool } from './spool/spool.ts';
import { uploadGate } from './upload/gate.ts';
import { openUploader, type RunningUploads } from './upload/open-uploader.ts';
import type { UploadShelf } from './upload/queue.ts';

export interface OutboxOptions
  extends Pick<MetadataSource, 'ecuId' | 'clientVersion' | 'units' | 'softwareVersion'> {
  readonly options: DaemonOptions['diagnostics'];
  /** Where the spool lies. */
  readonly directory: string;
  readonly store: SignalStore;
  /** Where this ECU listens, and the other ECUs of the vehicle. */
  readonly host: string;
  readonly otherEcuIds: readonly string[];
  /** Whether an update of any ECU needs the way out now. */
  readonly needsLink: () => boolean;
  /** @default this computer's */
  readonly clock?: VehicleClock;
  readonly log: Log;
}

/** What the outbox contributes to the status of diagnostics. */
export type OutboxStatus = Omit<DiagnosticsStatus, 'sources' | 'campaigns'>;

/** Encoded bytes that wait in memory while the disk takes nothing. */
const memoryBytes = 1024 * 1024;
const retryMs = 5000;
const tellEveryMs = 10_000;
const dayMs = 24 * 3600 * 1000;
/** New segments stay so far below what the receiver refused, since the last block may go beyond the limit. */
const belowRefused = 0.8;

/** Where messages wait for their upload, and the upload: from `append` on, nothing is lost that was acknowledged. */
export class Outbox implements AsyncDisposable {
  readonly #options: OutboxOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #spool: Spool;
  readonly #clock: VehicleClock;
  readonly #vehicleId: string;
  #collector: Collector | undefined;
  #uploads: RunningUploads | undefined;
  #droppedSamples = 0;

  private constructor(
    options: OutboxOptions,
    parts: {
      readonly stack: AsyncDisposableStack;
      readonly spool: Spool;
      readonly clock: VehicleClock;
    },
  ) {
    this.#options = options;
    this.#vehicleId = options.options.vehicleId ?? options.ecuId;
    this.#stack = parts.stack;
    this.#spool = parts.spool;
    this.#clock = parts.clock;
  }

  /** A disk that does not let it open anything is told and tried again later. */
  static async open(source: OutboxOptions): Promise<Outbox> {
    const { options, directory, store, log } = source;
    for (const [name, signal] of Object.entries(diagnosticsSignals)) {
      store.describe(
        `${diagnosticsRoot}.${name}`,
        signal.datatype,
        'unit' in signal ? signal.unit : undefined,
      );
    }
    await using stack = new AsyncDisposableStack();
    const clock = source.clock ?? stack.use(await SystemVehicleClock.open(options.clockSyncedFile));
    const metadata: MetadataSource = {
      ...source,
      vehicleId: options.vehicleId ?? source.ecuId,
      vssVersion: options.vssVersion,
      values: store,
      clock,
    };
    let outbox: Outbox | undefined;
    const spool = stack.use(
      await Spool.open({
        directory,
        quotaBytes: options.spoolBytes,
        laneQuotaBytes: {
          critical: options.spoolCriticalBytes,
          normal: options.spoolNormalBytes,
          bulk: options.spoolBulkBytes,
        },
        ttlMs: options.spoolDays * dayMs,
        segmentBytes: options.segmentBytes,
        largestSegment: () => Math.floor((outbox?.refusedBytes ?? Number.MAX_SAFE_INTEGER) * belowRefused),
        segmentAgeMs: options.segmentAgeMs,
        memoryBytes,
        retryMs,
        metadata: (plan) => segmentMetadata(metadata, plan),
        onClockJump: (jump) => outbox?.tellJump(jump),
        clock,
        log,
      }),
    );
    outbox = new Outbox(source, { stack: stack.move(), spool, clock });
    await outbox.#start();
    return outbox;
  }

  /** Stores messages of a campaign; resolves with whether it did, and never rejects: what cannot be stored is counted. */
  async append(priority: Priority, messages: readonly Message[], campaign: string): Promise<boolean> {
    try {
      if (await this.#spool.append(priority, messages, campaign)) return true;
    } catch (error) {
      this.#options.log.error({ err: error, campaign }, 'values could not be encoded');
    }
    this.#droppedSamples += valuesIn(messages);
    return false;
  }

  /** An update of this ECU begins or has ended: its results are kept whatever room is needed. */
  updateUnderWay(active: boolean): void {
    void this.#spool.updateUnderWay(active);
  }

  /** Signals that the uploads go by. */
  get paths(): readonly string[] {
    return this.#gate.paths;
  }

  get refusedBytes(): number | undefined {
    return this.#uploads?.refusedBytes;
  }

  get status(): OutboxStatus {
    const { evicted, expired, quarantined, oldestAgeMs } = this.#spool.counts;
    const uploads = this.#uploads?.counts;
    return {
      lanes: this.#spool.lanes,
      droppedSamples: this.#droppedSamples,
      evictedSegments: evicted + expired,
      quarantinedSegments: quarantined,
      oldestSegmentAgeMs: oldestAgeMs,
      collectedSegments: this.#collector?.counts.segments ?? 0,
      collectedBytes: this.#collector?.counts.bytes ?? 0,
      uploadedSegments: uploads?.uploadedSegments ?? 0,
      uploadedBytes: uploads?.uploadedBytes ?? 0,
      uploadFailures: uploads?.failures ?? 0,
      uploadWaitingFor: uploads?.waiting ?? 'no receiver is named (diagnostics.upload.url)',
    };
  }

  /** The wall clock was set: an event among the signals. */
  tellJump({ oldOffsetMs, newOffsetMs }: ClockJump): void {
    const seconds = (newOffsetMs - oldOffsetMs) / 1000;
    this.#put('ClockJump', seconds);
    const record = {
      signal_identifier: `${diagnosticsRoot}.ClockJump`,
      ts: BigInt(this.#clock.wallMs()) * 1000n,
      value: { item: { double: seconds } },
    };
    void this.append('critical', [{ item: { SpecifiedTimeStampedRecord: record } }], builtInCampaign);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get #gate() {
    const { options, store, needsLink } = this.#options;
    return uploadGate({
      condition: options.upload.when,
      values: store,
      // The clock by which values are stamped when they come in.
      now: () => performance.now(),
      needsLink: () => !options.upload.duringUpdates && needsLink(),
    });
  }

  async #start(): Promise<void> {
    const { options, directory, host, otherEcuIds, log } = this.#options;
    this.#collector = await openCollector(this.#stack, {
      options,
      directory,
      vehicleId: this.#vehicleId,
      host,
      ecuIds: otherEcuIds,
      log,
    });
    const uploads = await openUploader({
      options,
      directory,
      shelves: () => this.#shelves(),
      onSealed: (listener) => {
        const stops = [this.#spool.onSealed(listener), this.#collector?.onCollected(listener)];
        return () => stops.forEach((stop) => stop?.());
      },
      gate: this.#gate.why,
      clock: this.#clock,
      log,
    });
    if (uploads !== undefined) this.#uploads = this.#stack.use(uploads);
    const timer = setInterval(() => this.#tell(), tellEveryMs).unref();
    this.#stack.defer(() => clearInterval(timer));
    this.#tell();
  }

  #shelves(): readonly UploadShelf[] {
    const { shelf } = this.#spool;
    const own = shelf === undefined ? [] : [{ vehicleId: this.#vehicleId, shelf }];
    return [...own, ...(this.#collector?.shelves() ?? [])];
  }

  /** How diagnostics fare, among the signals. */
  #tell(): void {
    const { lanes, droppedSamples, uploadedBytes, uploadFailures, oldestSegmentAgeMs } = this.status;
    this.#put('SpoolBytes', BigInt(lanes.reduce((sum, { bytes }) => sum + bytes, 0)));
    this.#put(
      'SpoolSegments',
      lanes.reduce((sum, { segments }) => sum + segments, 0),
    );
    this.#put('DroppedSamples', BigInt(droppedSamples));
    this.#put('UploadedBytes', BigInt(uploadedBytes));
    this.#put('UploadFailures', BigInt(uploadFailures));
    this.#put('OldestSegmentAge', Math.round(oldestSegmentAgeMs / 1000));
  }

  #put(name: keyof typeof diagnosticsSignals, value: number | bigint): void {
    const ts = BigInt(this.#clock.wallMs()) * 1000n;
    this.#options.store.put(`${diagnosticsRoot}.${name}`, { value, ts, receivedAt: performance.now() });
  }
}

function valuesIn(messages: readonly Message[]): number {
  return messages.reduce((sum, { item }) => {
    if ('TimeSeries' in item) return sum + item.TimeSeries.items.length;
    return sum + ('Snapshot' in item ? item.Snapshot.values.length : 1);
  }, 0);
}
