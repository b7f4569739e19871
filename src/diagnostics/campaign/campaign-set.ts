import { basename } from 'node:path';
import type { CampaignStatus } from '#diagnostics/diagnostics-status.ts';
import type { SignalValue } from '#diagnostics/signals/signal-value.ts';
import type { Log } from '#domain/log.ts';
import type { Campaign } from './campaign.ts';
import type { CampaignFile } from './campaign-files.ts';
import type { CampaignMemory } from './campaign-memory.ts';
import { type Bundle, CampaignRunner, type RunnerWorld } from './runner.ts';
import type { CampaignEvent } from './trigger-watch.ts';

export interface CampaignSetWorld extends Pick<RunnerWorld, 'datatypeOf' | 'values'> {
  readonly store: (bundle: Bundle, campaignId: string) => void;
  readonly memory: CampaignMemory;
  /** Milliseconds of the monotonic clock, and since 1970. */
  readonly now: () => number;
  readonly unixNow: () => number;
  readonly log: Log;
}

/** A file, or the built-in campaign, and what runs of it. */
interface Entry {
  readonly file: string;
  version: string;
  /** The last good one. */
  campaign: Campaign | undefined;
  runner: CampaignRunner | undefined;
  /** What is wrong with the file as it is now; empty when nothing is. */
  problem: string;
  /** Counts of runners that ended. */
  past: Pick<CampaignStatus, 'samples' | 'dropped' | 'triggered'>;
}

const none = { samples: 0, dropped: 0, triggered: 0 };
/** What is spent of the budgets of an hour is kept as often as this, in milliseconds. */
const rememberMs = 30_000;

/** The campaigns of an ECU: begun, changed and ended while it runs. A broken file leaves the good one before it running. */
export class CampaignSet {
  readonly #world: CampaignSetWorld;
  readonly #entries = new Map<string, Entry>();
  #running: readonly CampaignRunner[] = [];
  #rememberAt = 0;

  constructor(builtIn: Campaign, world: CampaignSetWorld) {
    this.#world = world;
    this.#entries.set('', {
      file: '',
      version: '',
      campaign: builtIn,
      runner: undefined,
      problem: '',
      past: none,
    });
    this.#enforce();
  }

  /** Takes what the files say now. Returns whether other signals may be needed than before. */
  load(files: readonly CampaignFile[]): boolean {
    const { log } = this.#world;
    for (const entry of this.#entries.values()) {
      if (entry.file === '' || files.some(({ file }) => file === entry.file)) continue;
      this.#end(entry);
      this.#entries.delete(entry.file);
      log.info({ file: entry.file, campaign: entry.campaign?.id }, 'a campaign ended: its file is gone');
    }
    for (const { file, version, campaign, problems } of files) {
      const entry = this.#entries.get(file) ?? this.#newEntry(file);
      const isTold = entry.version === version;
      entry.version = version;
      const [problem = this.#takenBy(campaign, file)] = problems;
      if (problem !== undefined) {
        entry.problem = problem;
        // Of an earlier life of the daemon.
        if (problems.length > 0 && this.#takenBy(campaign, file) === undefined) entry.campaign ??= campaign;
        const running = entry.campaign === undefined ? 'left out' : 'goes on as it was before';
        for (const line of isTold ? [] : problems.length > 0 ? problems : [problem])
          log.error({ file }, `a campaign is ${running === 'left out' ? running : 'not changed'}: ${line}`);
        continue;
      }
      entry.problem = '';
      if (campaign === undefined || entry.campaign === campaign) continue;
      log.info(
        { file, campaign: campaign.id },
        entry.campaign === undefined ? 'a campaign' : 'a campaign changed',
      );
      this.#end(entry);
      entry.campaign = campaign;
    }
    return this.#enforce();
  }

  /** A value came in. */
  accept(path: string, value: SignalValue): void {
    for (const runner of this.#running) runner.accept(path, value);
  }

  /** Time went by; campaigns begin and end with it. Returns whether other signals may be needed than before. */
  advance(now: number): boolean {
    for (const runner of this.#running) runner.advance(now);
    if (now >= this.#rememberAt) {
      this.#rememberAt = now + rememberMs;
      this.remember();
    }
    return this.#enforce();
  }

  /** Something happened. */
  event(event: CampaignEvent, now: number): void {
    for (const runner of this.#running) runner.event(event, now);
  }

  /** Ends all campaigns with everything that they have. */
  finish(): void {
    for (const entry of this.#entries.values()) this.#end(entry);
    this.#running = [];
  }

  /** Has what every campaign needs to know kept for the next start. */
  remember(): void {
    for (const entry of this.#entries.values()) this.#rememberOne(entry);
  }

  /** The signals that the running campaigns need. */
  get paths(): readonly string[] {
    return [...new Set(this.#running.flatMap(({ paths }) => paths))];
  }

  /** The signals that a running campaign needs. */
  pathsOf(id: string): readonly string[] {
    const entry = [...this.#entries.values()].find(({ campaign }) => campaign?.id === id);
    return entry?.runner?.paths ?? [];
  }

  get states(): readonly CampaignStatus[] {
    return [...this.#entries.values()].map((entry): CampaignStatus => {
      const { campaign, runner, problem, past } = entry;
      const now = runner?.state() ?? none;
      return {
        id: campaign?.id ?? basename(entry.file),
        state: runner === undefined ? (campaign === undefined ? 'broken' : this.#why(campaign)) : 'active',
        problem,
        samples: past.samples + now.samples,
        dropped: past.dropped + now.dropped,
        triggered: past.triggered + now.triggered,
      };
    });
  }

  #newEntry(file: string): Entry {
    const entry: Entry = {
      file,
      version: '-',
      campaign: undefined,
      runner: undefined,
      problem: '',
      past: none,
    };
    this.#entries.set(file, entry);
    return entry;
  }

  #takenBy(campaign: Campaign | undefined, file: string): string | undefined {
    for (const other of this.#entries.values()) {
      if (other.file === file || other.campaign === undefined || other.campaign.id !== campaign?.id) continue;
      const where = other.file === '' ? 'the built-in campaign' : other.file;
      return `${file}: id ${campaign.id} is that of ${where}; give it another one`;
    }
    return undefined;
  }

  #why({ startsAt }: Campaign): 'waiting' | 'expired' {
    return startsAt !== undefined && this.#world.unixNow() < startsAt ? 'waiting' : 'expired';
  }

  /** Begins what is due, and ends what is over. Returns whether anything did. */
  #enforce(): boolean {
    const unixNow = this.#world.unixNow();
    for (const entry of this.#entries.values()) {
      const { campaign } = entry;
      if (campaign === undefined) continue;
      const { startsAt = 0, expiresAt = Number.POSITIVE_INFINITY } = campaign;
      const isDue = unixNow >= startsAt && unixNow < expiresAt;
      if (isDue) entry.runner ??= this.#begin(campaign);
      else if (entry.runner !== undefined) this.#end(entry);
    }
    const running = [...this.#entries.values()].flatMap(({ runner }) => runner ?? []);
    const isSame =
      running.length === this.#running.length && running.every((one, i) => one === this.#running[i]);
    if (!isSame) this.#running = running;
    return !isSame;
  }

  #begin(campaign: Campaign): CampaignRunner {
    const { id } = campaign;
    const { memory, now, unixNow, datatypeOf, values, store } = this.#world;
    const runner: CampaignRunner = new CampaignRunner(
      campaign,
      {
        datatypeOf,
        values,
        unixNow,
        store: (bundle) => store(bundle, id),
        remember: () => memory.keep(id, runner.remembered(now())),
      },
      memory.of(id),
      now(),
    );
    return runner;
  }

  #end(entry: Entry): void {
    const { runner, past } = entry;
    if (runner === undefined) return;
    runner.finish(this.#world.now());
    this.#rememberOne(entry);
    const { samples, dropped, triggered } = runner.state();
    entry.past = {
      samples: past.samples + samples,
      dropped: past.dropped + dropped,
      triggered: past.triggered + triggered,
    };
    entry.runner = undefined;
  }

  #rememberOne({ campaign, runner }: Entry): void {
    if (campaign === undefined || runner === undefined) return;
    const { memory, now } = this.#world;
    const remembered = runner.remembered(now());
    const isEmpty =
      remembered.hour === undefined &&
      remembered.fired.length === 0 &&
      Object.keys(remembered.codes).length === 0;
    if (!isEmpty) memory.keep(campaign.id, remembered);
  }
}
