import { go } from '#dashboard/page/model/route.ts';
import { momentText, timeMs } from '#dashboard/page/words/units.ts';
import { type Event, EventKind } from '#gen/ota/console/v1/types_pb.ts';

export const kindTexts: readonly (readonly [EventKind, string])[] = [
  [EventKind.REQUEST, 'request'],
  [EventKind.STATE, 'state'],
  [EventKind.REACHABILITY, 'reachability'],
  [EventKind.DAEMON, 'daemon'],
  [EventKind.DENIED, 'denied'],
];

interface EventListProps {
  readonly events: readonly Event[];
  readonly withEcu: boolean;
}

export function EventList({ events, withEcu }: EventListProps) {
  return (
    <ol class={withEcu ? 'events with-ecu' : 'events'}>
      {events.map((event) => (
        <Line key={event.sequence} event={event} withEcu={withEcu} />
      ))}
    </ol>
  );
}

function Line({ event, withEcu }: { readonly event: Event; readonly withEcu: boolean }) {
  const { ecuId, kind, caller, text } = event;
  const ms = timeMs(event.time) ?? 0;
  const word = kindTexts.find(([known]) => known === kind)?.[1] ?? 'other';
  return (
    <li>
      <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toString()} class="mono quiet">
        {momentText(ms)}
      </time>
      <span class={`kind kind-${word}`}>{word}</span>
      {withEcu && (
        <span class="event-ecu">
          {ecuId === '' ? (
            <span class="quiet">vehicle</span>
          ) : (
            <button type="button" class="link mono" onClick={() => go('vehicle', ecuId)}>
              {ecuId}
            </button>
          )}
        </span>
      )}
      <span class="event-text">
        {text}
        {caller !== '' && <span class="quiet"> by {caller}</span>}
      </span>
    </li>
  );
}
