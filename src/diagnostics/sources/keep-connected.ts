import { setTimeout as delay } from 'node:timers/promises';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import { type BrokerAccess, BrokerError, type VssBroker } from './vss-broker.ts';

/** How patient we are with a broker, in milliseconds. */
export interface BrokerPatience {
  /** Mean limit of the first wait; it doubles with each failure. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Between two attempts where nothing gets better by itself. */
  readonly slowMs: number;
  /** A connection that lasted this long was no failure. */
  readonly steadyMs: number;
  /** Between two questions whether the broker is still there. */
  readonly beatMs: number;
  /** For the first message of a subscription. */
  readonly firstMessageMs: number;
}

export const usualPatience: BrokerPatience = {
  baseMs: 500,
  maxMs: 30_000,
  slowMs: 60_000,
  steadyMs: 10_000,
  beatMs: 20_000,
  firstMessageMs: 30_000,
};

export interface KeptConnection {
  readonly access: BrokerAccess;
  readonly patience: BrokerPatience;
  readonly clock: SignalClock;
  readonly random: () => number;
  /** Works with a connection until it is over. Returning is like an end of the connection: it is made anew. */
  readonly work: (broker: VssBroker, signal: AbortSignal) => Promise<void>;
  /** Called when a connection has ended, before the wait. */
  readonly ended: (error: BrokerError) => void;
}

/** Connects, works, and connects again, until `signal` fires; never throws anything else than defects. */
export async function keepConnected(kept: KeptConnection, signal: AbortSignal): Promise<void> {
  const { access, patience, clock, ended, random } = kept;
  let failures = 0;
  while (!signal.aborted) {
    const began = clock.now();
    const error = await once(kept, signal);
    if (error === undefined) return;
    ended(error);
    failures = clock.now() - began >= patience.steadyMs ? 0 : failures + 1;
    // Full jitter: a whole fleet that lost its brokers at once does not come back in step.
    const limit = error.isPassing
      ? Math.min(patience.maxMs, patience.baseMs * 2 ** Math.min(failures, 20))
      : patience.slowMs;
    const waitMs = error.isPassing ? random() * limit : limit * (0.5 + random() / 2);
    await pause(waitMs, error.isPassing ? undefined : access, signal);
  }
}

/** One connection from its beginning to its end; undefined when `signal` ended it. */
async function once(
  { access, patience, work }: KeptConnection,
  signal: AbortSignal,
): Promise<BrokerError | undefined> {
  try {
    using broker = await access.connect();
    const [dead, done] = [new AbortController(), new AbortController()];
    const beating = beat(broker, patience.beatMs, done.signal).catch((error: unknown) => dead.abort(error));
    try {
      await work(broker, AbortSignal.any([signal, broker.lost, dead.signal]));
    } finally {
      done.abort();
      await beating;
    }
    signal.throwIfAborted();
    return new BrokerError('unreachable', 'the broker ended the subscription');
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof BrokerError) return error;
    throw error;
  }
}

/**
 * Asks again and again; rejects when there is no answer. Not by pings of HTTP/2: a quiet subscription makes servers of
 * gRPC's C library hang up on those (`GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS`, 5 minutes).
 */
async function beat(broker: VssBroker, ms: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    await delay(ms, undefined, { signal, ref: false });
    await broker.info(signal);
  }
}

/** Waits, but no longer than until somebody has changed the credentials. */
async function pause(ms: number, access: BrokerAccess | undefined, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const waits: Promise<void>[] = [delay(ms, undefined, { signal: both, ref: false })];
  if (access !== undefined) waits.push(access.otherCredentials(both));
  await Promise.race(waits).catch(() => {
    // Ended.
  });
  over.abort();
  await Promise.allSettled(waits);
}
