import type { VehicleClock } from './clock/vehicle-clock.ts';
import type { LatestValues } from './signals/signal-value.ts';
import type { SegmentPlan } from './spool/spool.ts';

/** What a segment tells about where it comes from. */
export interface MetadataSource {
  readonly vehicleId: string;
  readonly ecuId: string;
  readonly clientVersion: string;
  /** Of the signal catalog; undefined to take what the vehicle's signals say. */
  readonly vssVersion: string | undefined;
  readonly values: LatestValues;
  readonly clock: VehicleClock;
  /** Release that runs on this ECU; empty while it is not known. */
  readonly softwareVersion: () => string;
  /** Units of the signals of a campaign, by path. */
  readonly units: (campaign: string) => Readonly<Record<string, string>>;
}

/** Everything that a receiver has to know of a container file, so that it needs nothing else to read it. */
export function segmentMetadata(source: MetadataSource, plan: SegmentPlan): Record<string, string> {
  const { vehicleId, ecuId, clientVersion, clock, units, softwareVersion } = source;
  const { id, sequence, priority, campaign, jump } = plan;
  return {
    'vehicle.id': vehicleId,
    'ecu.id': ecuId,
    'vss.version': source.vssVersion ?? catalogVersion(source.values),
    units: JSON.stringify(units(campaign)),
    'ts.unit': 'us-since-epoch',
    'segment.id': id,
    'segment.sequence': String(sequence),
    'segment.priority': priority,
    'campaign.id': campaign,
    'software.version': softwareVersion(),
    'boot.id': clock.bootId,
    // The pair from which a receiver can correct times of a clock that was wrong, with that of a later segment of the same boot.
    'clock.synced': String(clock.isSynced()),
    'clock.wall': micros(clock.wallMs()),
    'clock.monotonic': micros(clock.now()),
    ...(jump === undefined
      ? {}
      : { 'clock.jump': `{"old":${micros(jump.oldOffsetMs)},"new":${micros(jump.newOffsetMs)}}` }),
    writer: `vehicle-ota-client ${clientVersion}`,
  };
}

function micros(ms: number): string {
  return String(Math.round(ms * 1000));
}

/** As the catalog's own signals tell it. */
function catalogVersion(values: LatestValues): string {
  const parts = ['Major', 'Minor', 'Patch'].map((name) => values.latest(`Vehicle.VersionVSS.${name}`)?.value);
  return parts.some((part) => part === undefined) ? 'unknown' : parts.join('.');
}
