export interface BreakerOptions {
  /** First limit of the random waits, and the one they grow to, in milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: () => number;
}

/** Failures in a row after which a receiver counts as down. */
const downAfter = 5;

/**
 * Spares a receiver that fails: waits of full jitter (anything between nothing and a limit that doubles with each failure, so
 * that vehicles do not march in step). While it counts as down, a single request tries it, and one success ends that.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Whether the next request is only a trial: the smallest will do. */
  get isDown(): boolean {
    return this.#failures >= downAfter;
  }

  get failures(): number {
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Milliseconds to wait before the next request. */
  failed(): number {
    const { baseMs, maxMs, random } = this.#options;
    const limit = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return random() * limit;
  }
}
