import type { OtaStatus } from '#domain/status.ts';
import type { Campaign } from './campaign.ts';

/** Beyond this, values of an update's progress say nothing new. */
const progressPeriodMs = 1000;
/** How diagnostics fare is told seldom: each value adds to what it tells of. */
const ownPeriodMs = 300_000;
const stalePeriodMs = 3_600_000;

/** Id of the campaign that needs no file. */
export const builtInCampaign = 'ota';

/**
 * What is always collected: the course of every update, with a Snapshot before and after it and one at every failure, and
 * how this ECU and its diagnostics fare.
 */
export function defaultCampaign(
  updatePaths: readonly string[],
  hostPaths: readonly string[],
  ownPaths: readonly string[],
): Campaign {
  const progress = /\.(?:Progress|\w+Files|\w+Bytes|\w+Time)$/;
  return {
    id: builtInCampaign,
    startsAt: undefined,
    expiresAt: undefined,
    priority: 'normal',
    flushMs: 5000,
    maxAgeMs: stalePeriodMs,
    budget: { samplesPerSecond: undefined, bytesPerHour: undefined },
    signals: [
      ...updatePaths.map((path) => ({
        path,
        sampling: progress.test(path)
          ? ({ mode: 'periodic', periodMs: progressPeriodMs } as const)
          : ({ mode: 'every' } as const),
      })),
      ...hostPaths.map((path) => ({
        path,
        sampling: { mode: 'on_change', deadBand: 1, deadBandPercent: 0, heartbeatMs: 300_000 } as const,
      })),
      ...ownPaths.map((path) => ({ path, sampling: { mode: 'periodic', periodMs: ownPeriodMs } as const })),
    ],
    triggers: [
      snapshotOn('update-begins', ['UPDATING', 'ROLLBACKING', 'CLIENT_UPDATING'], 'normal'),
      snapshotOn('update-ends', ['SUCCESS', 'ABORTED'], 'critical'),
      { ...snapshotOn('failure', [], 'critical'), cause: { on: 'failure' } },
    ],
  };
}

function snapshotOn(
  name: string,
  states: readonly OtaStatus[],
  priority: Campaign['priority'],
): Campaign['triggers'][number] {
  const cause = { on: 'update', states } as const;
  return { name, cause, once: false, minIntervalMs: 0, beforeMs: 0, afterMs: 0, snapshot: [], priority };
}
