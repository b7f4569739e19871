import { z } from 'zod';

/** When a job came to a point. The step may be one that only another release knows. */
export interface TimelinePoint {
  readonly step: string;
  /** Unix time in milliseconds. */
  readonly at: number;
}

/** Unix time in milliseconds, as far as a Date reaches (ECMA-262, 21.4.1.1). */
export const timeSchema = z.number().min(-8.64e15).max(8.64e15);

export const timelineSchema = z.array(z.object({ step: z.string().max(64), at: timeSchema })).max(256);

/** Steps may repeat: a first boot that is cut off and tried again. */
const maxPoints = 64;
const keptFromStart = 16;

/** The points and one more, now. A long list loses its middle. */
export function withPoint(points: readonly TimelinePoint[], step: string, at: number): TimelinePoint[] {
  const all = [...points, { step, at }];
  if (all.length <= maxPoints) return all;
  return [...all.slice(0, keptFromStart), ...all.slice(keptFromStart - maxPoints)];
}
