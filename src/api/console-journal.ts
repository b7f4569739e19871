import type { CallContext } from '#ecu/ecu.ts';
import type { ConsoleClient } from './console-client.ts';
import { eventFromWire, eventKindsToWire } from './console-event.ts';
import type { EventKindName, VehicleEvent } from './vehicle-event.ts';

/** Which events are wanted. */
export interface EventFilter {
  /** Only events of these ECUs; empty for all. */
  readonly ecuIds: readonly string[];
  /** Only these kinds; empty for all. */
  readonly kinds: readonly EventKindName[];
  /** Only events whose line or caller has this text, whatever its case. */
  readonly query: string;
}

/** Whether an event passes the filter. */
export function passes(event: VehicleEvent, { ecuIds, kinds, query }: EventFilter): boolean {
  const wanted = query.toLowerCase();
  return (
    (ecuIds.length === 0 || ecuIds.includes(event.ecuId)) &&
    (kinds.length === 0 || kinds.some((kind) => kind === event.kind)) &&
    (event.text.toLowerCase().includes(wanted) || event.caller.toLowerCase().includes(wanted))
  );
}

const largestPage = 1000;

/**
 * The last `limit` events that pass the filter and are newer than `after`, oldest first. Throws ConsoleError.
 */
export async function lastEvents(
  client: ConsoleClient,
  filter: EventFilter,
  { limit, after }: { readonly limit: number; readonly after: bigint },
  call: CallContext,
): Promise<VehicleEvent[]> {
  const found: VehicleEvent[] = [];
  // The console filters by one ECU; of several each event is looked at here.
  const [first = '', ...more] = filter.ecuIds;
  let pageToken = '';
  do {
    const page = await client.ask(
      'listEvents',
      {
        pageSize: Math.min(largestPage, more.length > 0 ? largestPage : limit - found.length),
        pageToken,
        ecuId: more.length > 0 ? '' : first,
        kinds: eventKindsToWire(filter.kinds),
        query: filter.query,
      },
      call,
    );
    const events = page.events.map(eventFromWire);
    found.push(...events.filter((event) => event.sequence > after && passes(event, filter)));
    pageToken = events.some((event) => event.sequence <= after) ? '' : page.nextPageToken;
  } while (pageToken !== '' && found.length < limit);
  return found.slice(0, limit).toReversed();
}

/** Where the journal ends: the sequence of its newest event; 0 while it is empty. Throws ConsoleError. */
export async function journalEnd(client: ConsoleClient, call: CallContext): Promise<bigint> {
  const { events } = await client.ask('listEvents', { pageSize: 1 }, call);
  return events[0]?.sequence ?? 0n;
}

/** Every event after `after` as it comes, in lists that may be empty. Ends as `ConsoleClient.watch` does. */
export async function* newEvents(
  client: ConsoleClient,
  after: bigint,
  signal: AbortSignal,
): AsyncGenerator<VehicleEvent[], void, void> {
  for await (const { events } of client.watch('watchEvents', { afterSequence: after }, signal)) {
    yield events.map(eventFromWire);
  }
}
