import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { brokerAccess } from '../../src/api/kuksa/broker-access.ts';
import type { VssDatatype } from '../../src/diagnostics/messages/vss-value.ts';
import { checkDrive, type DriveSample, readDrive } from '../../src/diagnostics/sources/replay/read-drive.ts';

// node scripts/vss-broker/play.ts [--address HOST:PORT] [--speed N] [--after end|hold|loop] [FILE]
//
// Plays a recorded drive into a broker, ours or a KUKSA databroker, as its provider would: the trip of the sample vehicle if
// no FILE is named. `hold` goes on saying the last values once a second, as sensors of a parked vehicle do.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: 'string', default: '127.0.0.1:55555' },
    speed: { type: 'string', default: '1' },
    after: { type: 'string', default: 'end' },
    'token-file': { type: 'string' },
  },
});
const [file = join(import.meta.dirname, 'trip.csv')] = positionals;
const speed = Number(values.speed);
const end = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => end.abort());
const { signal } = end;

try {
  if (!(speed >= 0)) throw new Error('--speed: write a number; 0 is as fast as the broker takes it');
  if (!['end', 'hold', 'loop'].includes(values.after)) throw new Error('--after: write end, hold or loop');
  using broker = await brokerAccess({
    address: values.address,
    tls: false,
    tokenFile: values['token-file'],
  }).connect();
  const info = await broker.info(signal);
  const datatypes = new Map<string, VssDatatype>();
  const paths = new Set<string>();
  // The broker's catalog counts, whatever the drive says.
  for await (const { path } of readDrive(file, () => undefined)) paths.add(path);
  for (const { path, datatype } of await broker.catalog([...paths], signal))
    if (datatype !== undefined) datatypes.set(path, datatype);
  const unknown = [...paths].filter((path) => !datatypes.has(path));
  if (unknown.length > 0) process.stderr.write(`not in the catalog, left out: ${unknown.join(', ')}\n`);
  const { values: count, durationMs } = await checkDrive(file, () => undefined);
  process.stdout.write(
    `playing ${count} values, ${Math.round(durationMs / 1000)} s, to ${info} at ${values.address}\n`,
  );

  const last = new Map<string, DriveSample>();
  const publish = async (sample: DriveSample): Promise<void> => {
    const datatype = datatypes.get(sample.path);
    if (datatype !== undefined) await broker.publish(sample.path, datatype, sample.value, signal);
  };
  do {
    const began = performance.now();
    for await (const sample of readDrive(file, (path) => datatypes.get(path))) {
      const dueIn = speed === 0 ? 0 : began + sample.atMs / speed - performance.now();
      if (dueIn > 0) await delay(dueIn, undefined, { signal });
      last.set(sample.path, sample);
      await publish(sample);
    }
    process.stdout.write('played\n');
  } while (values.after === 'loop');
  while (values.after === 'hold') {
    await delay(1000, undefined, { signal });
    for (const sample of last.values()) await publish(sample);
  }
} catch (error) {
  if (!signal.aborted) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
