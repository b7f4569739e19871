import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalValue } from '#diagnostics/signals/signal-value.ts';
import type { Sampling } from './campaign.ts';

/** One value to be kept. */
export interface KeptSample {
  /** Added to the signal's path: empty, or `.Min`, `.Max`, `.Mean` of a window. */
  readonly statistic: '' | 'Min' | 'Max' | 'Mean';
  readonly value: VssValue;
  /** Microseconds since 1970. */
  readonly ts: bigint;
}

/** Decides for one signal which values are kept. Times are those of the monotonic clock, in milliseconds. */
export class Sampler {
  readonly #sampling: Sampling;
  #kept: SignalValue | undefined;
  /** The latest value that no period has taken yet. */
  #fresh: SignalValue | undefined;
  #dueAt = Number.NEGATIVE_INFINITY;
  #window: { endsAt: number; min: number; max: number; sum: number; count: number; ts: bigint } | undefined;
  #ring: SignalValue[] = [];
  #keepAllUntil = Number.NEGATIVE_INFINITY;

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
  }

  /** A value came in; what is to be kept because of it. */
  accept(sample: SignalValue): readonly KeptSample[] {
    const sampling = this.#sampling;
    const now = sample.receivedAt;
    switch (sampling.mode) {
      case 'every':
        return [kept(sample)];
      case 'on_change':
        if (this.#kept !== undefined && !differs(this.#kept.value, sample.value, sampling.deadBand)) {
          this.#fresh = sample;
          return this.advance(now);
        }
        return this.#keep(sample);
      case 'periodic': {
        this.#fresh = sample;
        return this.advance(now);
      }
      case 'window': {
        const ended = this.advance(now);
        const { value } = sample;
        if (typeof value !== 'number' && typeof value !== 'bigint') return ended;
        const number = Number(value);
        if (Number.isNaN(number)) return ended;
        this.#window ??= {
          endsAt: now + sampling.windowMs,
          min: number,
          max: number,
          sum: 0,
          count: 0,
          ts: 0n,
        };
        const window = this.#window;
        window.min = Math.min(window.min, number);
        window.max = Math.max(window.max, number);
        window.sum += number;
        window.count++;
        window.ts = sample.ts;
        return ended;
      }
      case 'buffer':
        if (now <= this.#keepAllUntil) return [kept(sample)];
        this.#ring.push(sample);
        // Cut now and then instead of with every value.
        if (this.#ring.length > 2 * sampling.buffer) this.#ring = this.#ring.slice(-sampling.buffer);
        return [];
    }
  }

  /** Time went by: periods, heartbeats and windows end. */
  advance(now: number): readonly KeptSample[] {
    const sampling = this.#sampling;
    switch (sampling.mode) {
      case 'periodic': {
        if (this.#fresh === undefined || now < this.#dueAt) return [];
        const sample = this.#fresh;
        // A grid, so that late looks do not shift it; anew after a pause.
        this.#dueAt =
          this.#dueAt + sampling.periodMs > now ? this.#dueAt + sampling.periodMs : now + sampling.periodMs;
        this.#fresh = undefined;
        return [kept(sample)];
      }
      case 'on_change': {
        const { heartbeatMs } = sampling;
        if (heartbeatMs === undefined || this.#kept === undefined) return [];
        if (now - this.#kept.receivedAt < heartbeatMs) return [];
        // Only what the source still sends is still true.
        const fresh = this.#fresh;
        return fresh === undefined ? [] : this.#keep(fresh);
      }
      case 'window': {
        const window = this.#window;
        if (window === undefined || now < window.endsAt) return [];
        this.#window = undefined;
        const { ts, min, max, sum, count } = window;
        return [
          { statistic: 'Min', value: min, ts },
          { statistic: 'Max', value: max, ts },
          { statistic: 'Mean', value: sum / count, ts },
        ];
      }
      case 'every':
      case 'buffer':
        return [];
    }
  }

  /** Something ended: the latest value that waits for its period is kept now, so that no final value is lost. */
  settle(): readonly KeptSample[] {
    const sample = this.#fresh;
    if (this.#sampling.mode !== 'periodic' || sample === undefined) return [];
    this.#fresh = undefined;
    return [kept(sample)];
  }

  /** A trigger fired: buffered values since `beforeMs` ago, and from now on every value until `afterMs` are over. */
  trigger(now: number, beforeMs: number, afterMs: number): readonly KeptSample[] {
    if (this.#sampling.mode !== 'buffer') return [];
    const buffered = this.#ring.slice(-this.#sampling.buffer);
    this.#ring = [];
    this.#keepAllUntil = Math.max(this.#keepAllUntil, now + afterMs);
    return buffered.filter(({ receivedAt }) => now - receivedAt <= beforeMs).map(kept);
  }

  #keep(sample: SignalValue): readonly KeptSample[] {
    this.#kept = sample;
    this.#fresh = undefined;
    return [kept(sample)];
  }
}

function kept({ value, ts }: SignalValue): KeptSample {
  return { statistic: '', value, ts };
}

/** Numbers by more than the dead band, everything else by any difference. */
function differs(before: VssValue, after: VssValue, deadBand: number): boolean {
  if (typeof before === 'number' && typeof after === 'number') {
    return deadBand === 0 ? !Object.is(before, after) : Math.abs(after - before) > deadBand;
  }
  if (typeof before === 'bigint' && typeof after === 'bigint' && deadBand > 0) {
    return Math.abs(Number(after - before)) > deadBand;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length !== after.length || before.some((item, i) => !Object.is(item, after[i]));
  }
  return before !== after;
}
