import type { VehicleClock } from './vehicle-clock.ts';

/** The wall clock was set: wall time minus monotonic time before and after, in milliseconds. */
export interface ClockJump {
  readonly oldOffsetMs: number;
  readonly newOffsetMs: number;
}

/** Smaller steps are the ordinary work of a time service. */
const smallestJumpMs = 1000;

/** Notices that the wall clock was set, whichever way, by comparing it with the monotonic clock. */
export class ClockWatch {
  readonly #clock: VehicleClock;
  #offsetMs: number;

  constructor(clock: VehicleClock) {
    this.#clock = clock;
    this.#offsetMs = this.#offset();
  }

  /** What happened since the last look; undefined when nothing did. */
  check(): ClockJump | undefined {
    const newOffsetMs = this.#offset();
    const oldOffsetMs = this.#offsetMs;
    if (Math.abs(newOffsetMs - oldOffsetMs) <= smallestJumpMs) return undefined;
    this.#offsetMs = newOffsetMs;
    return { oldOffsetMs, newOffsetMs };
  }

  #offset(): number {
    return this.#clock.wallMs() - this.#clock.now();
  }
}
