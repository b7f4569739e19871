import type { CampaignStatus } from '#diagnostics/diagnostics-status.ts';
import { evaluate } from '#diagnostics/expression/evaluate.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import type { Message, SpecifiedTimeStampedRecord, TimeStampedRecord } from '#diagnostics/messages/types.ts';
import { toValue, type VssDatatype } from '#diagnostics/messages/vss-value.ts';
import type { LatestValues, SignalValue } from '#diagnostics/signals/signal-value.ts';
import type { Priority } from '#diagnostics/spool/priority.ts';
import { signalsIn } from '#domain/expression/syntax.ts';
import { SampleBudget } from './budget.ts';
import type { Campaign, Trigger } from './campaign.ts';
import { type KeptSample, Sampler } from './sampler.ts';

/** Something that happens on the ECU besides its signals. */
export type CampaignEvent =
  | { readonly kind: 'update'; readonly state: string }
  | { readonly kind: 'failure' };

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
}

interface TriggerState {
  readonly trigger: Trigger;
  /** Signals of its condition. */
  readonly paths: ReadonlySet<string>;
  firedAt: number;
  held: boolean;
}

/** Statistics of a window do not get the path of their signal, whose values they are not. */
const statisticsRoot = 'Vehicle.OTA.Statistics';

/**
 * Runs one campaign. It has no clock of its own: time is what `accept` and `advance` are told, in milliseconds of the
 * monotonic clock, so that a recorded drive runs as fast as it can be read.
 */
export class CampaignRunner {
  readonly #campaign: Campaign;
  readonly #world: RunnerWorld;
  readonly #samplers: ReadonlyMap<string, Sampler>;
  readonly #triggers: readonly TriggerState[];
  readonly #series = new Map<string, TimeStampedRecord[]>();
  readonly #budget: SampleBudget;
  #flushAt: number | undefined;
  /** While a trigger's aftermath is recorded, bundles have its priority. */
  #raised: { readonly priority: Priority; readonly until: number } | undefined;
  #samples = 0;
  #overBudget = 0;
  #unusable = 0;
  #triggered = 0;

  constructor(campaign: Campaign, world: RunnerWorld) {
    this.#campaign = campaign;
    this.#world = world;
    this.#budget = new SampleBudget(campaign.budget);
    this.#samplers = new Map(campaign.signals.map(({ path, sampling }) => [path, new Sampler(sampling)]));
    this.#triggers = campaign.triggers.map((trigger) => ({
      trigger,
      paths: new Set(trigger.cause.on === 'condition' ? signalsIn(trigger.cause.when) : []),
      firedAt: Number.NEGATIVE_INFINITY,
      held: false,
    }));
  }

  /** The signals that it needs: collected ones and those of conditions and snapshots. */
  get paths(): readonly string[] {
    const { triggers } = this.#campaign;
    const asked = this.#triggers.flatMap(({ paths }) => [...paths]);
    const shown = triggers.flatMap(({ snapshot }) => snapshot ?? []);
    return [...new Set([...this.#samplers.keys(), ...asked, ...shown])];
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
      samples: this.#samples,
      dropped: this.#overBudget + this.#unusable,
      triggered: this.#triggered,
    };
  }

  /** A value came in. `values.latest` of the world has it already. */
  accept(path: string, sample: SignalValue): void {
    const now = sample.receivedAt;
    const sampler = this.#samplers.get(path);
    if (sampler !== undefined) this.#record(path, sampler.accept(sample), now);
    for (const state of this.#triggers) {
      if (state.paths.has(path)) this.#check(state, now);
    }
    this.#flushWhenDue(now);
  }

  /** Time went by. Called at least once a second. */
  advance(now: number): void {
    for (const [path, sampler] of this.#samplers) this.#record(path, sampler.advance(now), now);
    // Conditions also change by values that become stale.
    for (const state of this.#triggers) if (state.paths.size > 0) this.#check(state, now);
    this.#flushWhenDue(now);
  }

  /** Something happened. */
  event(event: CampaignEvent, now: number): void {
    this.settle(now);
    for (const state of this.#triggers) {
      const { cause } = state.trigger;
      const fires =
        (cause.on === 'update' && event.kind === 'update' && cause.states.includes(event.state)) ||
        (cause.on === 'failure' && event.kind === 'failure');
      if (fires) this.#fire(state, now);
    }
  }

  /** Keeps the last value of every signal, whatever its period. */
  settle(now: number): void {
    for (const [path, sampler] of this.#samplers) this.#record(path, sampler.settle(), now);
  }

  /** Hands over everything that is bundled, whatever its age. */
  flush(): void {
    this.#flushAt = undefined;
    if (this.#series.size === 0) return;
    const messages = [...this.#series].map(
      ([signal_identifier, items]): Message => ({
        item: { TimeSeries: { signal_identifier, count: items.length, items } },
      }),
    );
    this.#series.clear();
    this.#world.store({ priority: this.#raised?.priority ?? this.#campaign.priority, messages });
  }

  #record(path: string, samples: readonly KeptSample[], now: number): void {
    for (const sample of samples) {
      const record = this.#valueOf(path, sample);
      if (record === undefined) continue;
      if (!this.#budget.take(now)) {
        this.#overBudget++;
        continue;
      }
      const name = sample.statistic === '' ? path : `${statisticsRoot}.${path}.${sample.statistic}`;
      const items = this.#series.get(name);
      if (items === undefined) this.#series.set(name, [record]);
      else items.push(record);
      this.#samples++;
      this.#flushAt ??= now + this.#campaign.flushMs;
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

  #check(state: TriggerState, now: number): void {
    const { cause } = state.trigger;
    if (cause.on !== 'condition') return;
    const { values } = this.#world;
    const holds = evaluate(cause.when, { values, now, maxAgeMs: this.#campaign.maxAgeMs }) === true;
    const fires = holds && (cause.edge === 'always' || !state.held);
    state.held = holds;
    if (fires) this.#fire(state, now);
  }

  #fire(state: TriggerState, now: number): void {
    const { minIntervalMs, beforeMs, afterMs, snapshot, priority } = state.trigger;
    if (now - state.firedAt < minIntervalMs) return;
    state.firedAt = now;
    this.#triggered++;
    // What was bundled before has its own priority.
    this.flush();
    this.#raised = { priority, until: now + afterMs };
    for (const [path, sampler] of this.#samplers)
      this.#record(path, sampler.trigger(now, beforeMs, afterMs), now);
    if (snapshot !== undefined)
      this.#store(this.#snapshot(snapshot.length > 0 ? snapshot : this.paths), priority);
    if (afterMs === 0) this.#endRaise();
  }

  #store(message: Message | undefined, priority: Priority): void {
    if (message !== undefined) this.#world.store({ priority, messages: [message] });
  }

  /** The latest values of signals, whatever their age: each has its own time. Undefined when there are none. */
  #snapshot(paths: readonly string[]): Message | undefined {
    const values = paths.flatMap((path): SpecifiedTimeStampedRecord[] => {
      const latest = this.#world.values.latest(path);
      if (latest === undefined) return [];
      const record = this.#valueOf(path, { statistic: '', value: latest.value, ts: latest.ts });
      return record === undefined ? [] : [{ signal_identifier: path, ...record }];
    });
    const [first] = values;
    if (first === undefined) return undefined;
    let [start, end] = [first.ts, first.ts];
    for (const { ts } of values) {
      if (ts < start) start = ts;
      if (ts > end) end = ts;
    }
    return { item: { Snapshot: { count: values.length, timeperiod: { start, end }, values } } };
  }

  #endRaise(): void {
    this.flush();
    this.#raised = undefined;
  }

  #flushWhenDue(now: number): void {
    if (this.#raised !== undefined && now > this.#raised.until) this.#endRaise();
    if (this.#flushAt !== undefined && now >= this.#flushAt) this.flush();
  }
}
