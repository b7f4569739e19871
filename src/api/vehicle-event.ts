/** What an event tells of, in one word. */
export const eventKinds = ['request', 'state', 'reachability', 'daemon', 'denied'] as const;
export type EventKindName = (typeof eventKinds)[number];
/** Kinds of newer consoles are `other`. */
export type EventKindWord = EventKindName | 'other';

/** One entry of the vehicle's journal. */
export interface VehicleEvent {
  /** Grows with every event; never given twice. */
  readonly sequence: bigint;
  /** Unix time in milliseconds; 0 when the console does not say it. */
  readonly at: number;
  readonly kind: EventKindWord;
  /** Empty when the event is of the vehicle. */
  readonly ecuId: string;
  /** Who asked; empty when nobody did. */
  readonly caller: string;
  /** One line for people. */
  readonly text: string;
  readonly details: Readonly<Record<string, string>>;
}
