import type { EcuId } from '#domain/ecu.ts';

/** What an event tells of: somebody asked; an ECU changed; fell silent or answers; a daemon; somebody was turned away. */
export const eventKinds = ['request', 'state', 'reachability', 'daemon', 'denied'] as const;
export type EventKind = (typeof eventKinds)[number];

/** What happened, before it has a place in the journal. */
export interface Happening {
  readonly kind: EventKind;
  /** Absent when it is of the vehicle. */
  readonly ecuId?: EcuId;
  /** Who asked; absent when nobody did. */
  readonly caller?: string;
  /** One line for people. */
  readonly text: string;
  /** For programs. */
  readonly details?: Readonly<Record<string, string>>;
}

/** One entry of the vehicle's journal of events. */
export interface VehicleEvent extends Happening {
  /** Grows with every event; never given twice, also across restarts. */
  readonly sequence: number;
  /** Unix time in milliseconds. */
  readonly time: number;
}

/** Longest texts, in UTF-16 units. */
const caps = { text: 1024, caller: 160, detail: 512 } as const;
const maxDetails = 16;

/** As the journal bears it: short, in one line. */
export function trimmed(happening: Happening): Happening {
  const { kind, ecuId, caller, text, details } = happening;
  const kept = Object.entries(details ?? {}).slice(0, maxDetails);
  return {
    kind,
    ...(ecuId === undefined ? {} : { ecuId }),
    ...(caller === undefined ? {} : { caller: inOneLine(caller, caps.caller) }),
    text: inOneLine(text, caps.text),
    ...(kept.length === 0
      ? {}
      : { details: Object.fromEntries(kept.map(([key, value]) => [key, inOneLine(value, caps.detail)])) }),
  };
}

function inOneLine(text: string, cap: number): string {
  const line = text.replace(/\p{Cc}+/gu, ' ');
  return line.length <= cap ? line : `${line.slice(0, cap - 1).toWellFormed()}…`;
}
