import type { Campaign } from './campaign.ts';

/** A kept value costs about so many bytes in a time series before compression. */
const sampleBytes = 16;
const hourMs = 3600 * 1000;

/** How many values a campaign may keep: a token bucket of one second, and an estimate of the bytes of one hour. */
export class SampleBudget {
  readonly #perSecond: number | undefined;
  readonly #perHour: number | undefined;
  #tokens: number;
  #filledAt: number | undefined;
  #hour: { startedAt: number; samples: number } | undefined;

  constructor({ samplesPerSecond, bytesPerHour }: Campaign['budget']) {
    this.#perSecond = samplesPerSecond;
    this.#perHour = bytesPerHour === undefined ? undefined : Math.floor(bytesPerHour / sampleBytes);
    this.#tokens = samplesPerSecond ?? 0;
  }

  /** Whether one more may be kept. `now` is the monotonic clock in milliseconds. */
  take(now: number): boolean {
    if (this.#hour === undefined || now - this.#hour.startedAt >= hourMs)
      this.#hour = { startedAt: now, samples: 0 };
    if (this.#perHour !== undefined && this.#hour.samples >= this.#perHour) return false;
    if (this.#perSecond !== undefined) {
      const elapsed = now - (this.#filledAt ?? now);
      this.#filledAt = now;
      this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsed / 1000) * this.#perSecond);
      if (this.#tokens < 1) return false;
      this.#tokens--;
    }
    this.#hour.samples++;
    return true;
  }
}
