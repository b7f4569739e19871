import { readFile } from 'node:fs/promises';
import type { DaemonOptions } from '#config/options.ts';
import { systemClock } from './signals/clock.ts';
import type { SpoolOptions } from './spool/spool.ts';

/** What every container file tells about itself, so that a receiver needs nothing else to read it. */
export async function segmentMetadata(source: {
  readonly options: DaemonOptions['diagnostics'];
  readonly ecuId: string;
  readonly clientVersion: string;
}): Promise<SpoolOptions['metadata']> {
  const { options, ecuId, clientVersion } = source;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  return ({ id, sequence }) => ({
    'vehicle.id': options.vehicleId ?? ecuId,
    'ecu.id': ecuId,
    'segment.id': id,
    'segment.sequence': String(sequence),
    'ts.unit': 'us-since-epoch',
    'boot.id': bootId,
    // The pair from which a receiver can correct times of a clock that was wrong.
    'clock.wall': String(systemClock.wallMicros()),
    'clock.monotonic': String(Math.round(systemClock.now() * 1000)),
    writer: `vehicle-ota-client ${clientVersion}`,
  });
}
