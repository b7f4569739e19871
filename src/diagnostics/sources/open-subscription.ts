import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { BrokerError, type BrokerUpdate, type VssBroker } from './vss-broker.ts';

/** A subscription whose first message is there. */
export interface OpenSubscription {
  readonly first: readonly BrokerUpdate[];
  /** Signals that the broker does not let us subscribe to, though they are in its catalog, and why. */
  readonly refused: ReadonlyMap<string, string>;
  readonly rest: AsyncIterable<readonly BrokerUpdate[]>;
  close(): void;
}

type Datatypes = ReadonlyMap<string, VssDatatype>;

/**
 * Subscribes to as many of the signals as the broker gives: one that is unknown, or that the token does not allow, fails
 * the whole call without saying which, so that halves are tried until they are found. Errors: BrokerError; that of the
 * first signal when none is left.
 */
export async function openSubscription(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<OpenSubscription> {
  if (datatypes.size === 0)
    throw new BrokerError('unknown_signal', 'the broker knows none of the signals that are needed');
  const opened = await attempt(broker, datatypes, firstMessageMs, signal);
  if (!(opened instanceof BrokerError)) return { ...opened, refused: new Map() };
  const refused = await bisect(broker, datatypes, firstMessageMs, signal);
  const rest = new Map([...datatypes].filter(([path]) => !refused.has(path)));
  if (rest.size === 0) throw opened;
  const again = await attempt(broker, rest, firstMessageMs, signal);
  // Given one by one and not together: the catalog is changing under us.
  if (again instanceof BrokerError)
    throw new BrokerError('unreachable', 'the catalog of the broker is changing', { cause: again });
  return { ...again, refused };
}

/** The ones at fault among signals that fail together. */
async function bisect(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const all = [...datatypes];
  const middle = Math.ceil(all.length / 2);
  const refused = new Map<string, string>();
  const halves = all.length === 1 ? [datatypes] : [new Map(all.slice(0, middle)), new Map(all.slice(middle))];
  for (const half of halves) {
    const opened = await attempt(broker, half, firstMessageMs, signal);
    if (!(opened instanceof BrokerError)) opened.close();
    else if (half.size > 1) {
      for (const [path, why] of await bisect(broker, half, firstMessageMs, signal)) refused.set(path, why);
    } else {
      const why = opened.code === 'denied' ? 'may not be read with this token' : 'cannot be subscribed to';
      for (const path of half.keys()) refused.set(path, why);
    }
  }
  return refused;
}

/** An error when the fault lies with one of the signals. */
async function attempt(
  broker: VssBroker,
  datatypes: Datatypes,
  firstMessageMs: number,
  signal: AbortSignal,
): Promise<Omit<OpenSubscription, 'refused'> | BrokerError> {
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
    const isOfOne =
      error instanceof BrokerError && (error.code === 'unknown_signal' || error.code === 'denied');
    if (isOfOne) return error;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
