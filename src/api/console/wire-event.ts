import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { EventKind, VehicleEvent } from '#ecu/events/event.ts';
import { type Event, EventSchema, EventKind as WireEventKind } from '#gen/ota/console/v1/types_pb.ts';

const kinds: Readonly<Record<EventKind, WireEventKind>> = {
  request: WireEventKind.REQUEST,
  state: WireEventKind.STATE,
  reachability: WireEventKind.REACHABILITY,
  daemon: WireEventKind.DAEMON,
  denied: WireEventKind.DENIED,
};

export function eventToWire({ sequence, time, kind, ecuId, caller, text, details }: VehicleEvent): Event {
  return create(EventSchema, {
    sequence: BigInt(sequence),
    time: timestampFromMs(time),
    kind: kinds[kind],
    ecuId: ecuId ?? '',
    caller: caller ?? '',
    text,
    details: { ...details },
  });
}

/** The kinds that a request names; numbers of newer clients name none. */
export function kindsFromWire(wanted: readonly WireEventKind[]): ReadonlySet<EventKind> {
  const all = Object.entries(kinds) as [EventKind, WireEventKind][];
  return new Set(all.filter(([, wire]) => wanted.includes(wire)).map(([kind]) => kind));
}
