import { z } from 'zod';

/** When a job came to a point. The step may be one that only another release knows. */
export interface TimelinePoint {
  readonly step: string;
  /** Unix time in milliseconds. */
  readonly at: number;
}

export const timelineSchema = z.array(z.object({ step: z.string().max(64), at: z.number() })).max(256);

/** Steps may repeat: a first boot that is cut off and tried again. */
const maxPoints = 64;
const keptFromStart = 16;

/** The points and one more, now. A long list loses its middle. */
export function withPoint(points: readonly TimelinePoint[], step: string, at: number): TimelinePoint[] {
  const all = [...points, { step, at }];
  if (all.length <= maxPoints) return all;
  return [...all.slice(0, keptFromStart), ...all.slice(keptFromStart - maxPoints)];
}
