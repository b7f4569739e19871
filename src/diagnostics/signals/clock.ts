/** The two clocks of diagnostics. */
export interface SignalClock {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Microseconds since 1970, by the wall clock. */
  readonly wallMicros: () => bigint;
}

export const systemClock: SignalClock = {
  now: () => performance.now(),
  wallMicros: () => BigInt(Date.now()) * 1000n,
};
