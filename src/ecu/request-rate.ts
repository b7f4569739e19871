/** So many times the requests of a second may come at once. */
const burstSeconds = 4;

const maxCallers = 4096;

interface Bucket {
  left: number;
  at: number;
}

/** Lets each caller make so many requests per second; those that come at once are drawn from what was saved up. */
export class RequestRate {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #now: () => number;

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** Whether the caller may make one more request. */
  take(caller: string): boolean {
    const now = this.#now();
    const most = this.#perSecond * burstSeconds;
    const bucket = this.#buckets.get(caller) ?? { left: most, at: now };
    bucket.left = Math.min(most, bucket.left + ((now - bucket.at) * this.#perSecond) / 1000);
    bucket.at = now;
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= maxCallers) break;
      this.#buckets.delete(oldest);
    }
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }
}
