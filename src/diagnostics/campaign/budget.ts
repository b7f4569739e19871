import type { Value } from '#diagnostics/messages/types.ts';
import type { Campaign } from './campaign.ts';
import type { RememberedCampaign } from './campaign-memory.ts';

const hourMs = 3600 * 1000;

/** How many values a campaign may keep: a token bucket of one second, and the bytes of one hour. */
export class SampleBudget {
  readonly #perSecond: number | undefined;
  readonly #perHour: number | undefined;
  #tokens: number;
  #filledAt: number | undefined;
  #hour: { startedAt: number; bytes: number } | undefined;

  /** `now` is the monotonic clock, `unixNow` the wall clock, both in milliseconds. */
  constructor(
    { samplesPerSecond, bytesPerHour }: Campaign['budget'],
    hour: RememberedCampaign['hour'],
    now: number,
    unixNow: number,
  ) {
    this.#perSecond = samplesPerSecond;
    this.#perHour = bytesPerHour;
    this.#tokens = samplesPerSecond ?? 0;
    if (hour === undefined || bytesPerHour === undefined) return;
    // A clock that went back since shall not give a budget twice.
    const ageMs = hour.ageMs + Math.max(0, unixNow - hour.at);
    if (ageMs < hourMs) this.#hour = { startedAt: now - ageMs, bytes: hour.bytes };
  }

  /** Whether one more sampled value of so many encoded bytes may be kept. */
  take(now: number, bytes: number): boolean {
    if (this.#perSecond !== undefined) {
      const elapsed = now - (this.#filledAt ?? now);
      this.#filledAt = now;
      this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsed / 1000) * this.#perSecond);
      if (this.#tokens < 1) return false;
    }
    if (!this.takeBytes(now, bytes)) return false;
    this.#tokens--;
    return true;
  }

  /** The same for what a trigger brings at once. */
  takeBytes(now: number, bytes: number): boolean {
    if (this.#perHour === undefined) return true;
    if (this.#hour === undefined || now - this.#hour.startedAt >= hourMs) {
      this.#hour = { startedAt: now, bytes: 0 };
    }
    if (this.#hour.bytes + bytes > this.#perHour) return false;
    this.#hour.bytes += bytes;
    return true;
  }

  remembered(now: number, unixNow: number): RememberedCampaign['hour'] {
    if (this.#hour === undefined) return undefined;
    return { at: unixNow, ageMs: now - this.#hour.startedAt, bytes: this.#hour.bytes };
  }
}

/** Times around now take eight bytes, the branch of the union one. */
const frameBytes = 9;

/** Bytes of a value with its time as a message carries them. */
export function sizeOf({ item }: Value): number {
  if (!('array' in item)) return frameBytes + scalarSize(item);
  // The count, and the zero behind the last item.
  return item.array.reduce((sum, one) => sum + 1 + scalarSize(one), frameBytes + 3);
}

function scalarSize(scalar: Extract<Value['item'], { readonly int: number }> | Value['item']): number {
  if ('float' in scalar) return 4;
  if ('double' in scalar) return 8;
  if ('boolean' in scalar) return 1;
  if ('int' in scalar) return varintSize(Math.abs(scalar.int));
  if ('long' in scalar) return varintSize(Math.abs(Number(scalar.long)));
  if ('string' in scalar) return varintSize(scalar.string.length) + Buffer.byteLength(scalar.string);
  return 0;
}

/** Zig-zag: six bits in the first byte, seven in each one after it. */
function varintSize(magnitude: number): number {
  return magnitude < 64 ? 1 : Math.ceil((Math.log2(magnitude + 1) + 1) / 7);
}
