import type { Priority } from '#diagnostics/spool/priority.ts';
import type { Expression } from '#domain/expression/syntax.ts';

/** How often a signal's value is kept. Times in milliseconds. */
export type Sampling =
  /** Every value that the source sends. */
  | { readonly mode: 'every' }
  /**
   * A value that differs from the last kept one by more than `deadBand`, in the signal's unit, and by more than
   * `deadBandPercent` of it; and whatever the source still sends `heartbeatMs` after the last kept one.
   */
  | {
      readonly mode: 'on_change';
      readonly deadBand: number;
      readonly deadBandPercent: number;
      readonly heartbeatMs: number | undefined;
    }
  /** The latest value, at most once in each period. */
  | { readonly mode: 'periodic'; readonly periodMs: number }
  /** Minimum, maximum and mean of each window, under paths of their own. */
  | { readonly mode: 'window'; readonly windowMs: number }
  /** Nothing by itself: the last `buffer` values wait for a trigger. */
  | { readonly mode: 'buffer'; readonly buffer: number };

export interface CampaignSignal {
  readonly path: string;
  readonly sampling: Sampling;
}

/** What a trigger waits for. */
export type TriggerCause =
  | {
      readonly on: 'condition';
      readonly when: Expression;
      readonly text: string;
      readonly edge: 'rising' | 'always';
      /** It has to hold for so long without a break. */
      readonly forMs: number;
    }
  /** A list of trouble codes gets a code that was not in it before. */
  | { readonly on: 'trouble_codes'; readonly path: string }
  /** The ECU's update reaches one of these states. */
  | { readonly on: 'update'; readonly states: readonly string[] }
  | { readonly on: 'failure' };

export interface Trigger {
  readonly name: string;
  readonly cause: TriggerCause;
  readonly minIntervalMs: number;
  /** Fires once and never again, whatever restarts in between. */
  readonly once: boolean;
  /** Buffered values up to so long before the trigger, and values up to so long after it, are kept. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Signals whose latest values are kept as one Snapshot; all of the campaign when empty. */
  readonly snapshot: readonly string[] | undefined;
  readonly priority: Priority;
}

/** What is collected, when, and how much of it at most. */
export interface Campaign {
  readonly id: string;
  /** Unix time in milliseconds. */
  readonly startsAt: number | undefined;
  readonly expiresAt: number | undefined;
  readonly priority: Priority;
  /** Values are bundled for so long before they go to the spool. */
  readonly flushMs: number;
  /** A value older than this is unknown to conditions. */
  readonly maxAgeMs: number;
  readonly budget: {
    /** For what is sampled. What a trigger brings has passed the buffer or comes once, and is not counted. */
    readonly samplesPerSecond: number | undefined;
    /** Encoded, before compression; for everything. */
    readonly bytesPerHour: number | undefined;
  };
  readonly signals: readonly CampaignSignal[];
  readonly triggers: readonly Trigger[];
}
