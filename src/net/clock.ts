/** Monotonic time in milliseconds, and timers on it. */
export interface Clock {
  now(): number;
  /** Calls `run` after `ms`; the returned function calls it off. */
  after(ms: number, run: () => void): () => void;
}

/** The clock of this computer. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
