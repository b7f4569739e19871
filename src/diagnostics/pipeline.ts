import { join } from 'node:path';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { type EcuStatus, isBusy, type OtaStatus } from '#domain/status.ts';
import { readAtMost, writeDurably } from '#host/durable-file.ts';
import { BlackBoxSource, type ToldBlackBox } from './black-box-source.ts';
import { CampaignFiles } from './campaign/campaign-files.ts';
import { CampaignMemory } from './campaign/campaign-memory.ts';
import { CampaignSet } from './campaign/campaign-set.ts';
import { builtInCampaign, defaultCampaign } from './campaign/default-campaign.ts';
import type { DiagnosticsStatus } from './diagnostics-status.ts';
import { Outbox, type OutboxStatus } from './outbox.ts';
import { systemClock } from './signals/clock.ts';
import { ecuNames } from './signals/ecu-name.ts';
import { ecuRoot } from './signals/overlay.ts';
import { diagnosticsPaths } from './signals/overlay-diagnostics.ts';
import type { SignalStore } from './signals/signal-store.ts';
import { HostSource } from './sources/host-source.ts';
import type { SignalSources } from './sources/signal-sources.ts';
import type { SignalSource } from './sources/source.ts';
import { UpdateSource } from './sources/update-source.ts';

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
  /** Where this ECU listens, and the other ECUs of the vehicle, whose diagnostics it may have to forward. */
  readonly host: string;
  readonly otherEcuIds: readonly string[];
  /** Whether an update of any ECU of the vehicle needs the way out now. */
  readonly needsLink: () => boolean;
  /** The black boxes that this ECU keeps, oldest first. */
  readonly blackBoxes: () => Promise<readonly ToldBlackBox[]>;
  readonly log: Log;
}

/** Periods, heartbeats and windows end no later than this after their time. */
const tickMs = 500;
/** A changed file of a campaign is found no later than this. */
const campaignsMs = 2000;
const maxStatusBytes = 64;

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
  #outbox: Outbox | undefined;
  readonly #files: CampaignFiles;
  #campaigns: CampaignSet | undefined;
  #blackBoxes: BlackBoxSource | undefined;
  #loading: Promise<void> | undefined;
  /** Status of this ECU at the last look; at first, what the last life of the daemon left. */
  #last = '';
  #softwareVersion = '';

  private constructor(options: PipelineOptions) {
    this.#options = options;
    this.store = options.store;
    this.#update = new UpdateSource(this.store, systemClock, options.ecuIds);
    this.#own.push(this.#stack.use(this.#update));
    this.#files = new CampaignFiles(
      options.options.campaigns,
      join(options.stateDirectory, 'diagnostics', 'campaigns'),
    );
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
    this.#softwareVersion = own?.firmwareVersion ?? this.#softwareVersion;
    if (own === undefined || own.status === this.#last) return;
    this.#outbox?.updateUnderWay(isBusy(own.status));
    this.#last = own.status;
    void writeDurably(this.#lastFile, own.status, 0o600).catch(() => {
      // The next start then records this status once more.
    });
    const now = systemClock.now();
    if (!isFailure(own.status)) this.#campaigns?.event({ kind: 'update', state: own.status }, now);
    else {
      this.#campaigns?.event({ kind: 'failure' }, now);
      void this.#blackBoxes?.look();
    }
  }

  /** Takes the files of campaigns as they are now. Never throws: what is wrong with one is logged, and told by `status`. */
  async reload(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  /** How everything in here fares, at this moment. */
  status(): DiagnosticsStatus {
    const { sources } = this.#options;
    return {
      ...(this.#outbox?.status ?? noOutbox),
      sources: [...this.#own.map((source) => source.state()), ...sources.states()],
      campaigns: this.#campaigns?.states ?? [],
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
    const { options, stateDirectory, ecuId, ecuIds, log } = this.#options;
    const directory = join(stateDirectory, 'diagnostics');
    const outbox = this.#stack.use(
      await Outbox.open({
        ...this.#options,
        directory,
        softwareVersion: () => this.#softwareVersion,
        units: (campaign) => this.#unitsOf(campaign),
      }),
    );
    this.#outbox = outbox;
    this.#last = (await readAtMost(this.#lastFile, maxStatusBytes))?.toString('utf8') ?? '';
    const host = new HostSource(this.store, systemClock, ecuId, {
      proc: '/proc',
      sys: '/sys',
      disk: stateDirectory,
    });
    this.#own.push(host);
    const memory = this.#stack.use(await CampaignMemory.open(join(directory, 'campaigns.json'), log));
    const campaigns = new CampaignSet(defaultCampaign(this.#update.paths, host.paths, diagnosticsPaths), {
      datatypeOf: (path) => this.store.datatypeOf(path),
      values: this.store,
      store: ({ priority, messages }, id) => void outbox.append(priority, messages, id),
      memory,
      now: systemClock.now,
      unixNow: Date.now,
      log,
    });
    this.#campaigns = campaigns;
    // Before the spool closes.
    this.#stack.defer(() => campaigns.finish());
    await this.#load();
    this.#stack.defer(this.store.subscribe((path, value) => campaigns.accept(path, value)));
    this.#every(tickMs, () => {
      if (campaigns.advance(systemClock.now())) this.#want();
    });
    if (options.campaigns.length > 0) this.#every(campaignsMs, () => void this.reload());
    this.#stack.use(host).start(options.hostIntervalMs);
    this.#want();
    this.#blackBoxes = new BlackBoxSource({
      directory,
      path: `${ecuRoot}.${ecuNames(ecuIds).get(ecuId) ?? 'Ecu'}.BlackBox`,
      read: this.#options.blackBoxes,
      store: async (message) => outbox.append('critical', [message], builtInCampaign),
    });
    void this.#stack.use(this.#blackBoxes).look();
    this.#options.sources.want('uploads', outbox.paths);
  }

  async #load(): Promise<void> {
    const files = await this.#files.look();
    if (this.#campaigns?.load(files) === true) this.#want();
  }

  #want(): void {
    this.#options.sources.want('campaigns', this.#campaigns?.paths ?? []);
  }

  #unitsOf(campaign: string): Record<string, string> {
    const units: Record<string, string> = {};
    for (const path of this.#campaigns?.pathsOf(campaign) ?? []) {
      const unit = this.store.unitOf(path);
      if (unit !== undefined) units[path] = unit;
    }
    return units;
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms).unref();
    this.#stack.defer(() => clearInterval(timer));
  }
}

const noOutbox: OutboxStatus = {
  lanes: [],
  droppedSamples: 0,
  evictedSegments: 0,
  quarantinedSegments: 0,
  oldestSegmentAgeMs: 0,
  collectedSegments: 0,
  collectedBytes: 0,
  uploadedSegments: 0,
  uploadedBytes: 0,
  uploadFailures: 0,
  uploadWaitingFor: 'diagnostics are not open yet',
};

function isFailure(status: OtaStatus): boolean {
  return status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
}
