import type { Clock } from './clock.ts';

/**
 * Notices that nothing arrives any more: no byte on any request for a given time while at least one waits for the
 * network. Time in which all requests wait for their readers does not count.
 */
export class ProgressWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #waiting = 0;
  #last = 0;
  #callOff: (() => void) | undefined;

  constructor(limitMs: number, clock: Clock, onStall: () => void) {
    this.#limitMs = limitMs;
    this.#clock = clock;
    this.#onStall = onStall;
  }

  /** A request begins to wait for the network. */
  enter(): void {
    if (this.#waiting++ > 0) return;
    this.#last = this.#clock.now();
    // The timer outlives short pauses between requests: setting one per request would cost more than it tells.
    if (this.#callOff === undefined) this.#arm(this.#limitMs);
  }

  /** A request has what it waited for, or ended. */
  leave(): void {
    this.#waiting--;
  }

  progress(): void {
    this.#last = this.#clock.now();
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #arm(ms: number): void {
    this.#callOff = this.#clock.after(ms, () => {
      this.#callOff = undefined;
      if (this.#waiting === 0) return;
      const left = this.#last + this.#limitMs - this.#clock.now();
      if (left > 0) return this.#arm(left);
      this.#last = this.#clock.now();
      this.#arm(this.#limitMs);
      this.#onStall();
    });
  }
}
