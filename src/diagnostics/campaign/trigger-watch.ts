import { evaluate } from '#diagnostics/expression/evaluate.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { LatestValues } from '#diagnostics/signals/signal-value.ts';
import { signalsIn } from '#domain/expression/syntax.ts';
import type { Trigger } from './campaign.ts';
import type { RememberedCampaign } from './campaign-memory.ts';

/** Something that happens on the ECU besides its signals. */
export type CampaignEvent =
  | { readonly kind: 'update'; readonly state: string }
  | { readonly kind: 'failure' };

/** Decides when one trigger fires. Times are those of the monotonic clock, in milliseconds. */
export class TriggerWatch {
  readonly trigger: Trigger;
  /** Signals that it looks at. */
  readonly paths: ReadonlySet<string>;
  #firedAt = Number.NEGATIVE_INFINITY;
  #isSpent: boolean;
  /** Since when its condition holds; undefined while it does not. */
  #heldSince: number | undefined;
  /** Whether this time of holding has been told already. */
  #isTold = false;
  #codes: readonly string[];

  constructor(trigger: Trigger, { fired, codes }: RememberedCampaign) {
    this.trigger = trigger;
    this.paths = new Set(pathsOf(trigger));
    this.#isSpent = trigger.once && fired.includes(trigger.name);
    this.#codes = codes[trigger.name] ?? [];
  }

  /** Whether it has fired for the only time. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** The last list of trouble codes; undefined for another kind of trigger. */
  get codes(): readonly string[] | undefined {
    return this.trigger.cause.on === 'trouble_codes' ? this.#codes : undefined;
  }

  /** Whether it fires now because of the latest values. Asked with every one of its signals, and as time goes by. */
  check(values: LatestValues, now: number, maxAgeMs: number): boolean {
    const { cause } = this.trigger;
    if (cause.on !== 'condition') return false;
    if (evaluate(cause.when, { values, now, maxAgeMs }) !== true) {
      this.#heldSince = undefined;
      this.#isTold = false;
      return false;
    }
    this.#heldSince ??= now;
    if (now - this.#heldSince < cause.forMs || (cause.edge === 'rising' && this.#isTold)) return false;
    this.#isTold = true;
    return this.#fires(now);
  }

  /** Whether a list of trouble codes makes it fire. */
  sees(value: VssValue, now: number): boolean {
    if (this.trigger.cause.on !== 'trouble_codes' || !Array.isArray(value)) return false;
    const before = new Set(this.#codes);
    this.#codes = value.map(String);
    return this.#codes.some((code) => !before.has(code)) && this.#fires(now);
  }

  /** Whether an event makes it fire. */
  hears(event: CampaignEvent, now: number): boolean {
    const { cause } = this.trigger;
    const isMeant =
      event.kind === 'update'
        ? cause.on === 'update' && cause.states.includes(event.state)
        : cause.on === 'failure';
    return isMeant && this.#fires(now);
  }

  #fires(now: number): boolean {
    if (this.#isSpent || now - this.#firedAt < this.trigger.minIntervalMs) return false;
    this.#firedAt = now;
    this.#isSpent = this.trigger.once;
    return true;
  }
}

function pathsOf({ cause }: Trigger): readonly string[] {
  switch (cause.on) {
    case 'condition':
      return signalsIn(cause.when);
    case 'trouble_codes':
      return [cause.path];
    case 'update':
    case 'failure':
      return [];
  }
}
