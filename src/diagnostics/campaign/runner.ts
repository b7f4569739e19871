import type { CampaignStatus } from '#diagnostics/diagnostics-status.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import type { Message, SpecifiedTimeStampedRecord, TimeStampedRecord } from '#diagnostics/messages/types.ts';
import { toValue, type VssDatatype } from '#diagnostics/messages/vss-value.ts';
import type { LatestValues, SignalValue } from '#diagnostics/signals/signal-value.ts';
import { type Priority, priorities } from '#diagnostics/spool/priority.ts';
import { SampleBudget, sizeOf } from './budget.ts';
import type { Campaign } from './campaign.ts';
import { nothingRemembered, type RememberedCampaign } from './campaign-memory.ts';
import { type KeptSample, Sampler } from './sampler.ts';
import { type CampaignEvent, TriggerWatch } from './trigger-watch.ts';

/** Messages that are ready to be stored together. */
export interface Bundle {
  readonly priority: Priority;
  readonly messages: readonly Message[];
}

export interface CampaignCounts {
  /** Values that were kept. */
  readonly samples: number;
  /** Values that the budget did not allow. */
  readonly overBudget: number;
  /** Values that are not of their signal's datatype, or have no datatype. */
  readonly unusable: number;
  readonly triggered: number;
}

export interface RunnerWorld {
  /** Undefined while nobody has told it. */
  datatypeOf(path: string): VssDatatype | undefined;
  readonly values: LatestValues;
  /** Puts messages into the spool. */
  readonly store: (bundle: Bundle) => void;
  /** There is something to remember that must not be forgotten. */
  readonly remember?: () => void;
  /** Milliseconds since 1970. */
  readonly unixNow?: () => number;
}

/** Statistics of a window do not get the path of their signal, whose values they are not. */
const statisticsRoot = 'Vehicle.OTA.Statistics';
/** A bundle goes to the spool at this size, however long it may wait. */
const maxBundle = { samples: 8192, bytes: 256 * 1024 };

/**
 * Runs one campaign. It has no clock of its own: time is what `accept` and `advance` are told, in milliseconds of the
 * monotonic clock, so that a recorded drive runs as fast as it can be read.
 */
export class CampaignRunner {
  readonly #campaign: Campaign;
  readonly #world: RunnerWorld;
  readonly #samplers: ReadonlyMap<string, Sampler>;
  readonly #triggers: readonly TriggerWatch[];
  /** The triggers that look at a signal. */
  readonly #watched = new Map<string, TriggerWatch[]>();
  readonly #budget: SampleBudget;
  #series = new Map<string, TimeStampedRecord[]>();
  #bundled = { samples: 0, bytes: 0 };
  #flushAt = Number.POSITIVE_INFINITY;
  /** While a trigger's aftermath is recorded, bundles have its priority. */
  #raised: { readonly priority: Priority; readonly until: number } | undefined;
  #samples = 0;
  #overBudget = 0;
  #unusable = 0;
  #triggered = 0;

  constructor(campaign: Campaign, world: RunnerWorld, remembered = nothingRemembered, now = 0) {
    this.#campaign = campaign;
    this.#world = world;
    this.#budget = new SampleBudget(campaign.budget, remembered.hour, now, this.#unixNow());
    this.#samplers = new Map(campaign.signals.map(({ path, sampling }) => [path, new Sampler(sampling)]));
    this.#triggers = campaign.triggers.map((trigger) => new TriggerWatch(trigger, remembered));
    for (const watch of this.#triggers) {
      for (const path of watch.paths) this.#watched.set(path, [...(this.#watched.get(path) ?? []), watch]);
    }
  }

  /** The signals that it needs: collected ones and those of conditions and snapshots. */
  get paths(): readonly string[] {
    const shown = this.#campaign.triggers.flatMap(({ snapshot }) => snapshot ?? []);
    return [...new Set([...this.#samplers.keys(), ...this.#watched.keys(), ...shown])];
  }

  get counts(): CampaignCounts {
    return {
      samples: this.#samples,
      overBudget: this.#overBudget,
      unusable: this.#unusable,
      triggered: this.#triggered,
    };
  }

  state(): CampaignStatus {
    return {
      id: this.#campaign.id,
      state: 'active',
      problem: '',
      samples: this.#samples,
      dropped: this.#overBudget + this.#unusable,
      triggered: this.#triggered,
    };
  }

  /** What it has to know when it runs again. */
  remembered(now: number): RememberedCampaign {
    const codes = this.#triggers.flatMap(({ trigger, codes: list }) =>
      list === undefined ? [] : [[trigger.name, list] as const],
    );
    return {
      fired: this.#triggers.flatMap(({ trigger, isSpent }) => (isSpent ? [trigger.name] : [])),
      codes: Object.fromEntries(codes),
      hour: this.#budget.remembered(now, this.#unixNow()),
    };
  }

  /** A value came in. `values.latest` of the world has it already. */
  accept(path: string, sample: SignalValue): void {
    const now = sample.receivedAt;
    const sampler = this.#samplers.get(path);
    if (sampler !== undefined) this.#record(path, sampler.accept(sample), now, true);
    const watching = this.#watched.get(path);
    if (watching !== undefined) {
      for (const watch of watching) {
        this.#check(watch, now);
        if (watch.sees(sample.value, now)) this.#fire(watch, now);
        if (watch.codes !== undefined) this.#world.remember?.();
      }
    }
    this.#flushWhenDue(now);
  }

  /** Time went by. Called at least once a second. */
  advance(now: number): void {
    for (const [path, sampler] of this.#samplers) this.#record(path, sampler.advance(now), now, true);
    // Conditions also change by values that become stale, and by holding for long enough.
    for (const watch of this.#triggers) this.#check(watch, now);
    this.#flushWhenDue(now);
  }

  /** Something happened. */
  event(event: CampaignEvent, now: number): void {
    this.settle(now);
    for (const watch of this.#triggers) if (watch.hears(event, now)) this.#fire(watch, now);
  }

  /** Keeps the last value of every signal, whatever its period. */
  settle(now: number): void {
    for (const [path, sampler] of this.#samplers) this.#record(path, sampler.settle(), now, true);
  }

  /** Keeps and hands over everything, since nothing comes any more. */
  finish(now: number): void {
    for (const [path, sampler] of this.#samplers) this.#record(path, sampler.finish(), now, true);
    this.flush();
  }

  /** Hands over everything that is bundled, whatever its age. */
  flush(): void {
    this.#flushAt = Number.POSITIVE_INFINITY;
    if (this.#series.size === 0) return;
    const messages = [...this.#series].map(
      ([signal_identifier, items]): Message => ({
        item: { TimeSeries: { signal_identifier, count: items.length, items } },
      }),
    );
    this.#series = new Map();
    this.#bundled = { samples: 0, bytes: 0 };
    this.#world.store({ priority: this.#raised?.priority ?? this.#campaign.priority, messages });
  }

  #record(path: string, samples: readonly KeptSample[], now: number, isSampled: boolean): void {
    for (const sample of samples) {
      const record = this.#valueOf(path, sample);
      if (record === undefined) continue;
      const bytes = sizeOf(record.value);
      const isAllowed = isSampled ? this.#budget.take(now, bytes) : this.#budget.takeBytes(now, bytes);
      if (!isAllowed) {
        this.#overBudget++;
        continue;
      }
      const name = sample.statistic === '' ? path : `${statisticsRoot}.${path}.${sample.statistic}`;
      const items = this.#series.get(name);
      if (items === undefined) this.#series.set(name, [record]);
      else items.push(record);
      this.#samples++;
      this.#bundled.samples++;
      this.#bundled.bytes += bytes;
      if (this.#flushAt === Number.POSITIVE_INFINITY) this.#flushAt = now + this.#campaign.flushMs;
      if (this.#bundled.samples >= maxBundle.samples || this.#bundled.bytes >= maxBundle.bytes) this.flush();
    }
  }

  #valueOf(path: string, { statistic, value, ts }: KeptSample): TimeStampedRecord | undefined {
    const datatype = statistic === '' ? this.#world.datatypeOf(path) : 'double';
    try {
      if (datatype === undefined) throw new MessageError('invalid_value', `${path} has no datatype`);
      return { ts, value: toValue(datatype, value) };
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#unusable++;
      return undefined;
    }
  }

  #check(watch: TriggerWatch, now: number): void {
    if (watch.check(this.#world.values, now, this.#campaign.maxAgeMs)) this.#fire(watch, now);
  }

  #fire({ trigger, isSpent }: TriggerWatch, now: number): void {
    const { beforeMs, afterMs, snapshot, priority } = trigger;
    this.#triggered++;
    // What was bundled before has its own priority.
    this.flush();
    const raised = this.#raised;
    this.#raised = {
      priority: raised === undefined ? priority : higher(raised.priority, priority),
      until: Math.max(raised?.until ?? now, now + afterMs),
    };
    for (const [path, sampler] of this.#samplers)
      this.#record(path, sampler.trigger(now, beforeMs, afterMs), now, false);
    if (snapshot !== undefined)
      this.#keepSnapshot(snapshot.length > 0 ? snapshot : this.paths, priority, now);
    if (this.#raised.until <= now) this.#endRaise();
    if (isSpent) this.#world.remember?.();
  }

  /** The latest values of signals, whatever their age: each has its own time. */
  #keepSnapshot(paths: readonly string[], priority: Priority, now: number): void {
    const values = paths.flatMap((path): SpecifiedTimeStampedRecord[] => {
      const latest = this.#world.values.latest(path);
      if (latest === undefined) return [];
      const record = this.#valueOf(path, { statistic: '', value: latest.value, ts: latest.ts });
      return record === undefined ? [] : [{ signal_identifier: path, ...record }];
    });
    const [first] = values;
    if (first === undefined) return;
    const bytes = values.reduce(
      (sum, { signal_identifier: { length }, value }) => sum + length + sizeOf(value),
      0,
    );
    if (!this.#budget.takeBytes(now, bytes)) {
      this.#overBudget += values.length;
      return;
    }
    this.#samples += values.length;
    let [start, end] = [first.ts, first.ts];
    for (const { ts } of values) {
      if (ts < start) start = ts;
      if (ts > end) end = ts;
    }
    const message = { item: { Snapshot: { count: values.length, timeperiod: { start, end }, values } } };
    this.#world.store({ priority, messages: [message] });
  }

  #endRaise(): void {
    this.flush();
    this.#raised = undefined;
  }

  #flushWhenDue(now: number): void {
    if (this.#raised !== undefined && now > this.#raised.until) this.#endRaise();
    if (now >= this.#flushAt) this.flush();
  }

  #unixNow(): number {
    return this.#world.unixNow?.() ?? Date.now();
  }
}

function higher(one: Priority, other: Priority): Priority {
  return priorities.indexOf(one) <= priorities.indexOf(other) ? one : other;
}
