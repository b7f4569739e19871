import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Event } from '#gen/ota/console/v1/types_pb.ts';
import { EventKind } from '#gen/ota/console/v1/types_pb.ts';
import type { EventKindName, EventKindWord, VehicleEvent } from './vehicle-event.ts';

const words: Readonly<Record<number, EventKindWord>> = {
  [EventKind.REQUEST]: 'request',
  [EventKind.STATE]: 'state',
  [EventKind.REACHABILITY]: 'reachability',
  [EventKind.DAEMON]: 'daemon',
  [EventKind.DENIED]: 'denied',
};

/** Kinds of newer consoles are `other`. */
export function eventFromWire(event: Event): VehicleEvent {
  const { sequence, time, kind, ecuId, caller, text, details } = event;
  const at = time === undefined ? 0 : timestampMs(time);
  return {
    sequence,
    at: Math.abs(at) <= 8.64e15 ? at : 0,
    kind: words[kind] ?? 'other',
    ecuId,
    caller,
    text,
    details: { ...details },
  };
}

const numbers = {
  request: EventKind.REQUEST,
  state: EventKind.STATE,
  reachability: EventKind.REACHABILITY,
  daemon: EventKind.DAEMON,
  denied: EventKind.DENIED,
} as const;

/** The kinds as a request names them. */
export function eventKindsToWire(kinds: readonly EventKindName[]): EventKind[] {
  return kinds.map((kind) => numbers[kind]);
}
