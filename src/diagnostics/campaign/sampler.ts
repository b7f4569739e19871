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

interface Window {
  readonly endsAt: number;
  min: number;
  max: number;
  sum: number;
  count: number;
  ts: bigint;
}

const nothing: readonly KeptSample[] = [];

/** Decides for one signal which values are kept. Times are those of the monotonic clock, in milliseconds. */
export class Sampler {
  readonly #sampling: Sampling;
  #kept: SignalValue | undefined;
  /** The latest value that no period has taken yet. */
  #fresh: SignalValue | undefined;
  #dueAt = Number.NEGATIVE_INFINITY;
  #window: Window | undefined;
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
        if (this.#kept !== undefined && !differs(this.#kept.value, sample.value, sampling)) {
          this.#fresh = sample;
          return this.advance(now);
        }
        return this.#keep(sample);
      case 'periodic':
        this.#fresh = sample;
        return this.advance(now);
      case 'window': {
        const ended = this.advance(now);
        this.#measure(sample, sampling.windowMs);
        return ended;
      }
      case 'buffer':
        if (now <= this.#keepAllUntil) return [kept(sample)];
        this.#ring.push(sample);
        // Cut now and then instead of with every value.
        if (this.#ring.length > 2 * sampling.buffer) this.#ring = this.#ring.slice(-sampling.buffer);
        return nothing;
    }
  }

  /** Time went by: periods, heartbeats and windows end. */
  advance(now: number): readonly KeptSample[] {
    const sampling = this.#sampling;
    switch (sampling.mode) {
      case 'periodic': {
        if (this.#fresh === undefined || now < this.#dueAt) return nothing;
        const sample = this.#fresh;
        // A grid, so that late looks do not shift it; anew after a pause.
        this.#dueAt =
          this.#dueAt + sampling.periodMs > now ? this.#dueAt + sampling.periodMs : now + sampling.periodMs;
        this.#fresh = undefined;
        return [kept(sample)];
      }
      case 'on_change': {
        const { heartbeatMs } = sampling;
        if (heartbeatMs === undefined || this.#kept === undefined) return nothing;
        if (now - this.#kept.receivedAt < heartbeatMs) return nothing;
        // Only what the source still sends is still true.
        const fresh = this.#fresh;
        return fresh === undefined ? nothing : this.#keep(fresh);
      }
      case 'window':
        return this.#window === undefined || now < this.#window.endsAt ? nothing : this.#closeWindow();
      case 'every':
      case 'buffer':
        return nothing;
    }
  }

  /** Something ended: the latest value that waits for its period is kept now, so that no final value is lost. */
  settle(): readonly KeptSample[] {
    const sample = this.#fresh;
    if (this.#sampling.mode !== 'periodic' || sample === undefined) return nothing;
    this.#fresh = undefined;
    return [kept(sample)];
  }

  /** Nothing comes any more: an unfinished window is kept as far as it came, too. */
  finish(): readonly KeptSample[] {
    return this.#window === undefined ? this.settle() : this.#closeWindow();
  }

  /** A trigger fired: buffered values since `beforeMs` ago, and from now on every value until `afterMs` are over. */
  trigger(now: number, beforeMs: number, afterMs: number): readonly KeptSample[] {
    if (this.#sampling.mode !== 'buffer') return nothing;
    const buffered = this.#ring.slice(-this.#sampling.buffer);
    this.#ring = [];
    if (afterMs > 0) this.#keepAllUntil = Math.max(this.#keepAllUntil, now + afterMs);
    return buffered.filter(({ receivedAt }) => now - receivedAt <= beforeMs).map(kept);
  }

  #keep(sample: SignalValue): readonly KeptSample[] {
    this.#kept = sample;
    this.#fresh = undefined;
    return [kept(sample)];
  }

  #measure({ value, receivedAt, ts }: SignalValue, windowMs: number): void {
    if (typeof value !== 'number' && typeof value !== 'bigint') return;
    const number = Number(value);
    if (Number.isNaN(number)) return;
    this.#window ??= { endsAt: receivedAt + windowMs, min: number, max: number, sum: 0, count: 0, ts };
    const window = this.#window;
    window.min = Math.min(window.min, number);
    window.max = Math.max(window.max, number);
    window.sum += number;
    window.count++;
    window.ts = ts;
  }

  #closeWindow(): readonly KeptSample[] {
    if (this.#window === undefined) return nothing;
    const { ts, min, max, sum, count } = this.#window;
    this.#window = undefined;
    return [
      { statistic: 'Min', value: min, ts },
      { statistic: 'Max', value: max, ts },
      { statistic: 'Mean', value: sum / count, ts },
    ];
  }
}

function kept({ value, ts }: SignalValue): KeptSample {
  return { statistic: '', value, ts };
}

/** Numbers by more than the dead band, everything else by any difference. */
function differs(
  before: VssValue,
  after: VssValue,
  { deadBand, deadBandPercent }: { readonly deadBand: number; readonly deadBandPercent: number },
): boolean {
  const isNumeric =
    typeof before === typeof after && (typeof after === 'number' || typeof after === 'bigint');
  if (isNumeric && (deadBand > 0 || deadBandPercent > 0)) {
    const band = Math.max(deadBand, (Math.abs(Number(before)) * deadBandPercent) / 100);
    const distance =
      typeof before === 'bigint' && typeof after === 'bigint'
        ? Number(after - before)
        : Number(after) - Number(before);
    return Math.abs(distance) > band || Number.isNaN(before) !== Number.isNaN(after);
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length !== after.length || before.some((item, i) => !Object.is(item, after[i]));
  }
  return !Object.is(before, after);
}
