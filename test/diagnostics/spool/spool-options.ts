import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import type { SegmentPlan, SpoolOptions } from '#diagnostics/spool/spool.ts';

/** A clock that goes right. */
export const rightClock: VehicleClock = {
  now: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  wallMs: () => Date.now(),
  isSynced: () => true,
  bootId: 'this-boot',
};

/** Metadata like the daemon's, as far as the spool reads it. */
function metadataBy(clock: VehicleClock): (plan: SegmentPlan) => Record<string, string> {
  return ({ id, sequence, priority, campaign, jump }) => ({
    'segment.id': id,
    'segment.sequence': String(sequence),
    'segment.priority': priority,
    'campaign.id': campaign,
    'boot.id': clock.bootId,
    'clock.synced': String(clock.isSynced()),
    'clock.wall': String(Math.round(clock.wallMs() * 1000)),
    'clock.monotonic': String(Math.round(clock.now() * 1000)),
    ...(jump === undefined ? {} : { 'clock.jump': JSON.stringify(jump) }),
  });
}

/** Options that a test changes where it matters. */
export function spoolOptions(directory: string, change: Partial<SpoolOptions> = {}): SpoolOptions {
  const { clock = rightClock } = change;
  return {
    directory,
    quotaBytes: 64 * 1024 * 1024,
    laneQuotaBytes: { critical: 0, normal: 0, bulk: 0 },
    ttlMs: 0,
    segmentBytes: 64 * 1024,
    segmentAgeMs: 60_000,
    memoryBytes: 64 * 1024,
    retryMs: 20,
    metadata: metadataBy(clock),
    clock,
    log: { info() {}, warn() {}, error() {} },
    ...change,
  };
}
