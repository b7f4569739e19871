import { join } from 'node:path';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import type { EcuStatus, OtaStatus } from '#domain/status.ts';
import { readAtMost, writeDurably } from '#host/durable-file.ts';
import type { Campaign } from './campaign/campaign.ts';
import { defaultCampaign } from './campaign/default-campaign.ts';
import { loadCampaigns } from './campaign/load-campaigns.ts';
import { CampaignRunner } from './campaign/runner.ts';
import type { DiagnosticsStatus } from './diagnostics-status.ts';
import type { Message } from './messages/types.ts';
import { segmentMetadata } from './segment-metadata.ts';
import { systemClock } from './signals/clock.ts';
import type { SignalStore } from './signals/signal-store.ts';
import { HostSource } from './sources/host-source.ts';
import type { SignalSources } from './sources/signal-sources.ts';
import type { SignalSource } from './sources/source.ts';
import { UpdateSource } from './sources/update-source.ts';
import { Spool } from './spool/spool.ts';
import { openUploader, type RunningUploads } from './upload/open-uploader.ts';

export interface PipelineOptions {
  readonly options: DaemonOptions['diagnostics'];
  /** The daemon's state; the spool lies in `diagnostics` below it. */
  readonly stateDirectory: string;
  readonly ecuId: string;
  readonly ecuIds: readonly string[];
  readonly clientVersion: string;
  /** Where the latest values are found; shared with whoever judges by them. */
  readonly store: SignalStore;
  /** Told what campaigns need. */
  readonly sources: SignalSources;
  readonly log: Log;
}

/** Periods, heartbeats and windows end no later than this after their time. */
const tickMs = 500;
const maxStatusBytes = 64;
/** Encoded bytes that wait in memory while the disk takes nothing. */
const memoryBytes = 1024 * 1024;

/**
 * Collects signals by campaigns into the spool and uploads it. It is told what the ECUs do and gives nothing back: whatever
 * happens in here, an update never notices.
 */
export class DiagnosticsPipeline implements AsyncDisposable {
  readonly store: SignalStore;
  readonly #options: PipelineOptions;
  readonly #update: UpdateSource;
  readonly #stack = new AsyncDisposableStack();
  readonly #own: SignalSource[] = [];
  #spool: Spool | undefined;
  #uploads: RunningUploads | undefined;
  #runners: readonly CampaignRunner[] = [];
  #droppedSamples = 0;
  /** Status of this ECU at the last look; at first, what the last life of the daemon left. */
  #last = '';

  private constructor(options: PipelineOptions) {
    this.#options = options;
    this.store = options.store;
    this.#update = new UpdateSource(this.store, systemClock, options.ecuIds);
    this.#own.push(this.#stack.use(this.#update));
  }

  /** Errors: those of the file system, when the spool cannot be opened. */
  static async open(options: PipelineOptions): Promise<DiagnosticsPipeline> {
    const pipeline = new DiagnosticsPipeline(options);
    try {
      await pipeline.#start();
    } catch (error) {
      await pipeline[Symbol.asyncDispose]();
      throw error;
    }
    return pipeline;
  }

  /** Takes what all ECUs say of themselves. */
  take(statuses: readonly EcuStatus[]): void {
    this.#update.take(statuses);
    const own = statuses.find(({ ecuId }) => ecuId === this.#options.ecuId);
    if (own === undefined || own.status === this.#last) return;
    this.#last = own.status;
    void writeDurably(this.#lastFile, own.status, 0o600).catch(() => {
      // The next start then records this status once more.
    });
    const now = systemClock.now();
    for (const runner of this.#runners) {
      if (isFailure(own.status)) runner.event({ kind: 'failure' }, now);
      else runner.event({ kind: 'update', state: own.status }, now);
    }
  }

  /** How everything in here fares, at this moment. */
  status(): DiagnosticsStatus {
    const spool = this.#spool?.counts;
    const uploads = this.#uploads?.counts;
    return {
      sources: [...this.#own.map((source) => source.state()), ...this.#options.sources.states()],
      campaigns: this.#runners.map((runner) => runner.state()),
      lanes: this.#spool?.lanes ?? [],
      droppedSamples: this.#droppedSamples,
      evictedSegments: spool?.evicted ?? 0,
      quarantinedSegments: uploads?.quarantined ?? 0,
      uploadedSegments: uploads?.uploadedSegments ?? 0,
      uploadedBytes: uploads?.uploadedBytes ?? 0,
      uploadFailures: uploads?.failures ?? 0,
      uploadWaitingFor: uploads?.waiting ?? 'no receiver is named (diagnostics.upload.url)',
    };
  }

  /** Stores what is bundled, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  get #lastFile(): string {
    return join(this.#options.stateDirectory, 'diagnostics', 'last-status');
  }

  async #start(): Promise<void> {
    const { options, stateDirectory, ecuId, log } = this.#options;
    const spool = this.#stack.use(
      await Spool.open({
        directory: join(stateDirectory, 'diagnostics'),
        quotaBytes: options.spoolBytes,
        segmentBytes: options.segmentBytes,
        segmentAgeMs: options.segmentAgeMs,
        memoryBytes,
        metadata: await segmentMetadata(this.#options),
        now: systemClock.now,
        log,
      }),
    );
    this.#spool = spool;
    this.#last = (await readAtMost(this.#lastFile, maxStatusBytes))?.toString('utf8') ?? '';
    const host = new HostSource(this.store, systemClock, ecuId, {
      proc: '/proc',
      sys: '/sys',
      disk: stateDirectory,
    });
    this.#own.push(host);
    const campaigns = [
      defaultCampaign(this.#update.paths, host.paths),
      ...(await loadCampaigns(options.campaigns, Date.now(), log)),
    ];
    this.#runners = campaigns.map((campaign) => this.#runner(campaign, spool));
    // Before the spool closes.
    this.#stack.defer(() => {
      for (const runner of this.#runners) {
        runner.settle(systemClock.now());
        runner.flush();
      }
    });
    this.#stack.defer(
      this.store.subscribe((path, value) => {
        for (const runner of this.#runners) runner.accept(path, value);
      }),
    );
    this.#every(tickMs, () => {
      const now = systemClock.now();
      for (const runner of this.#runners) runner.advance(now);
    });
    this.#stack.use(host).start(options.hostIntervalMs);
    this.#options.sources.want(
      'campaigns',
      this.#runners.flatMap(({ paths }) => paths),
    );
    const uploader = await openUploader(spool, this.#options, () =>
      !options.upload.duringUpdates && this.#last === 'UPDATING' ? 'an update needs the link' : undefined,
    );
    if (uploader !== undefined) this.#uploads = this.#stack.use(uploader);
  }

  #runner(campaign: Campaign, spool: Spool): CampaignRunner {
    return new CampaignRunner(campaign, {
      datatypeOf: (path) => this.store.datatypeOf(path),
      values: this.store,
      store: ({ priority, messages }) => {
        void spool.append(priority, messages).then(
          (stored) => {
            if (!stored) this.#droppedSamples += valuesIn(messages);
          },
          (error: unknown) => {
            this.#droppedSamples += valuesIn(messages);
            this.#options.log.error({ err: error, campaign: campaign.id }, 'values could not be encoded');
          },
        );
      },
    });
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms).unref();
    this.#stack.defer(() => clearInterval(timer));
  }
}

function valuesIn(messages: readonly Message[]): number {
  return messages.reduce((sum, { item }) => {
    if ('TimeSeries' in item) return sum + item.TimeSeries.items.length;
    return sum + ('Snapshot' in item ? item.Snapshot.values.length : 1);
  }, 0);
}

function isFailure(status: OtaStatus): boolean {
  return status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
}
