import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { VehicleEvent } from '#ecu/events/event.ts';
import type { EventJournal } from '#ecu/events/event-journal.ts';
import {
  type ConsoleService,
  type ListEventsRequest,
  ListEventsResponseSchema,
  type WatchEventsRequest,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
} from '#gen/ota/console/v1/console_pb.ts';
import { checkedId, invalid } from './checked-fields.ts';
import { enterWatch, type WatchGate } from './watch-gate.ts';
import { eventToWire, kindsFromWire } from './wire-event.ts';

export interface EventMethodParts {
  readonly journal: EventJournal;
  readonly gate: WatchGate;
  readonly heartbeatMs: number;
}

const defaultPage = 100;
const maxPage = 1000;
const maxQueryLength = 256;
/** Most events in one message of a stream. */
const maxTold = 200;

/** The journal of the vehicle. */
export function eventMethods(
  parts: EventMethodParts,
): Pick<ServiceImpl<typeof ConsoleService>, 'listEvents' | 'watchEvents'> {
  const { journal } = parts;
  return {
    listEvents: async (request, { signal }) => {
      const { pageSize, pageToken } = request;
      const limit = pageSize === 0 ? defaultPage : Math.min(pageSize, maxPage);
      const { events, before } = await journal.page(placeOf(pageToken), limit, filterOf(request), signal);
      return create(ListEventsResponseSchema, {
        events: events.map(eventToWire),
        nextPageToken: before === undefined ? '' : String(before),
      });
    },
    watchEvents: (request, context) => watchEvents(parts, request, context),
  };
}

/** Who reads slowly is given the next ones when he has read: they wait in the journal, not for him. */
async function* watchEvents(
  { journal, gate, heartbeatMs }: EventMethodParts,
  { afterSequence }: WatchEventsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchEventsResponse> {
  using _pass = enterWatch(gate, context);
  let after = afterSequence === 0n ? journal.last : Number(afterSequence);
  while (!context.signal.aborted) {
    const events = await journal.after(after, maxTold);
    if (events === undefined) {
      const text = `event ${after} is not in the journal (any more): begin with ListEvents`;
      throw new ConnectError(text, Code.OutOfRange);
    }
    const last = events.at(-1);
    if (last !== undefined) {
      after = last.sequence;
      yield create(WatchEventsResponseSchema, { events: events.map(eventToWire) });
    } else if (!(await journal.next(heartbeatMs, context.signal)) && !context.signal.aborted) {
      yield create(WatchEventsResponseSchema);
    }
  }
}

function placeOf(token: string): number | undefined {
  if (token === '') return undefined;
  if (!/^\d{1,15}$/.test(token)) throw invalid('page_token', 'is not from an answer of this console');
  return Number(token);
}

function filterOf({ ecuId, kinds, query }: ListEventsRequest): (event: VehicleEvent) => boolean {
  if (ecuId !== '') checkedId('ecu_id', ecuId);
  if (query.length > maxQueryLength) throw invalid('query', `is longer than ${maxQueryLength} characters`);
  const wanted = kindsFromWire(kinds);
  const text = query.toLowerCase();
  return (event) =>
    (ecuId === '' || event.ecuId === ecuId || (event.details?.['ecus'] ?? '').split(',').includes(ecuId)) &&
    (kinds.length === 0 || wanted.has(event.kind)) &&
    (text === '' || `${event.text}\n${event.caller ?? ''}`.toLowerCase().includes(text));
}
