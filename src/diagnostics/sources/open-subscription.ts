import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { BrokerError, type BrokerUpdate, type VssBroker } from './vss-broker.ts';

/** A subscription whose first message is there. */
export interface OpenSubscription {
  readonly first: readonly BrokerUpdate[];
  /** Signals that the broker does not let us subscribe to, though they are in its catalog. */
  readonly unknown: readonly string[];
  readonly rest: AsyncIterable<readonly BrokerUpdate[]>;
  close(): void;
}

type Datatypes = ReadonlyMap<string, VssDatatype>;

/**
 * Subscribes to as many of the signals as the broker knows: one unknown path fails the whole call without saying which, so
 * that halves are tried until they are found. Errors: BrokerError; `unknown_signal` when none is left.
 */
export async function openSubscription(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<OpenSubscription> {
  const none = new BrokerError('unknown_signal', 'the broker knows none of the signals that are needed');
  if (datatypes.size === 0) throw none;
  const opened = await attempt(broker, datatypes, firstMessageMs, signal);
  if (opened !== undefined) return { ...opened, unknown: [] };
  const unknown = await bisect(broker, datatypes, firstMessageMs, signal);
  const rest = new Map([...datatypes].filter(([path]) => !unknown.includes(path)));
  if (rest.size === 0) throw none;
  const again = await attempt(broker, rest, firstMessageMs, signal);
  // Known one by one and not together: the catalog is changing under us.
  if (again === undefined) throw new BrokerError('unreachable', 'the catalog of the broker is changing');
  return { ...again, unknown };
}

/** The unknown ones among signals that fail together. */
async function bisect(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (datatypes.size === 1) return [...datatypes.keys()];
  const all = [...datatypes];
  const middle = Math.ceil(all.length / 2);
  const unknown: string[] = [];
  for (const half of [new Map(all.slice(0, middle)), new Map(all.slice(middle))]) {
    const opened = await attempt(broker, half, firstMessageMs, signal);
    if (opened === undefined) unknown.push(...(await bisect(broker, half, firstMessageMs, signal)));
    else opened.close();
  }
  return unknown;
}

/** Undefined when one of the signals is unknown. */
async function attempt(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<Omit<OpenSubscription, 'unknown'> | undefined> {
  const over = new AbortController();
  const updates = broker.subscribe(datatypes, AbortSignal.any([signal, over.signal]));
  const messages = updates[Symbol.asyncIterator]();
  const tooLate = new BrokerError('unreachable', 'the broker sends no first message');
  const timer = setTimeout(() => over.abort(tooLate), firstMessageMs);
  try {
    const { value, done } = await messages.next();
    if (done === true) throw new BrokerError('unreachable', 'the broker ended the subscription');
    return {
      first: value,
      rest: { [Symbol.asyncIterator]: () => messages },
      close: () => over.abort(),
    };
  } catch (error) {
    over.abort();
    if (error instanceof BrokerError && error.code === 'unknown_signal') return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
