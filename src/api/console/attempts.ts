/** Failures after which an address has to wait, and for how long they count. */
const mostFailures = 10;
const windowMs = 60_000;

/** Addresses that are remembered; the oldest goes first. */
const maxAddresses = 4096;

interface Failures {
  count: number;
  readonly since: number;
}

/** Counts failed attempts to come in, per address, so that guessing is slow and fills no log. */
export class Attempts {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Milliseconds until the address may try again; 0 when it may now. */
  waitMs(address: string): number {
    const failures = this.#current(address);
    if (failures === undefined || failures.count < mostFailures) return 0;
    return Math.ceil(failures.since + windowMs - this.#now());
  }

  /** Returns how many that makes within the window. */
  fail(address: string): number {
    const failures = this.#current(address) ?? { count: 0, since: this.#now() };
    failures.count += 1;
    this.#failures.set(address, failures);
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= maxAddresses) break;
      this.#failures.delete(oldest);
    }
    return failures.count;
  }

  #current(address: string): Failures | undefined {
    const failures = this.#failures.get(address);
    if (failures === undefined || this.#now() - failures.since < windowMs) return failures;
    this.#failures.delete(address);
    return undefined;
  }
}
