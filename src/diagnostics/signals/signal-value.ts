import type { VssValue } from '#diagnostics/messages/vss-value.ts';

/** A value of a signal as it came in. */
export interface SignalValue {
  readonly value: VssValue;
  /** When it was measured: microseconds since 1970, by the source's clock. */
  readonly ts: bigint;
  /** When it came in: milliseconds of the monotonic clock. Ages are measured by it alone. */
  readonly receivedAt: number;
  /** How old it was already when it came in, in milliseconds, where its source tells. */
  readonly olderMs?: number;
}

/** Where conditions and snapshots find the latest value of a signal. */
export interface LatestValues {
  latest(path: string): SignalValue | undefined;
}
