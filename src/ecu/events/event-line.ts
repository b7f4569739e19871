import * as z from 'zod';
import { eventKinds, type VehicleEvent } from './event.ts';

const line = z.object({
  sequence: z.int().min(1),
  time: z.number(),
  kind: z.enum(eventKinds),
  ecu: z.string().optional(),
  caller: z.string().optional(),
  text: z.string(),
  details: z.record(z.string(), z.string()).optional(),
});

/** One line of a segment. */
export function eventToLine({ sequence, time, kind, ecuId, caller, text, details }: VehicleEvent): string {
  return `${JSON.stringify({ sequence, time, kind, ecu: ecuId, caller, text, details })}\n`;
}

/** The events of a segment, and how many of its bytes are whole lines. What is damaged is passed over. */
export function eventsIn(bytes: Buffer): { readonly events: VehicleEvent[]; readonly wholeBytes: number } {
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const events = bytes
    .toString('utf8', 0, wholeBytes)
    .split('\n')
    .flatMap((text) => eventOf(text) ?? []);
  return { events, wholeBytes };
}

function eventOf(text: string): VehicleEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = line.safeParse(value);
  if (data === undefined) return undefined;
  const { sequence, time, kind, ecu, caller, details } = data;
  return {
    sequence,
    time,
    kind,
    text: data.text,
    ...(ecu === undefined ? {} : { ecuId: ecu }),
    ...(caller === undefined ? {} : { caller }),
    ...(details === undefined ? {} : { details }),
  };
}
