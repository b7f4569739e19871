import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

type Kind = 'float' | 'double' | 'int16' | 'uint32' | 'boolean' | 'string';

/** Mostly measured numbers, as in a car; some counters, switches and states. */
const kinds: readonly Kind[] = [
  ...Array.from({ length: 12 }, () => 'float' as const),
  'double',
  'double',
  'int16',
  'int16',
  'uint32',
  'boolean',
  'boolean',
  'string',
];

/** The drive: 200 signals, each ten times a second. */
export const hertz = 10;
const signals = Array.from({ length: 200 }, (_, at) => {
  const kind = kinds[at % kinds.length] ?? 'float';
  return { path: `Vehicle.Bench.Part${Math.floor(at / 20)}.Signal${at % 20}`, kind };
});
export const drivePaths = signals.map(({ path }) => path);

/** Its values of one moment, the `n`th. */
export function momentOf(n: number) {
  return signals.map(({ path, kind }, at) => ({ path, kind, value: valueAt(kind, at, n) }));
}

/** Unix time of the `n`th moment in milliseconds. */
export function timeOf(n: number): number {
  return 1_767_225_600_000 + (n * 1000) / hertz;
}

/** A value of a signal at its `n`th measurement: different every time, the same in every run. */
function valueAt(kind: Kind, signal: number, n: number): number | boolean | string {
  switch (kind) {
    case 'float':
      return Math.fround(20 + signal + 5 * Math.sin(n / 50 + signal) + ((n * 7919 + signal) % 100) / 1000);
    case 'double':
      return 48.1 + signal / 1000 + n / 1e5;
    case 'int16':
      return ((n * 37 + signal) % 4001) - 2000;
    case 'uint32':
      return 3_000_000_000 + n;
    case 'boolean':
      return Math.floor(n / 20) % 2 === 0;
    case 'string':
      return ['OFF', 'ACC', 'ON', 'START'][Math.floor(n / 30) % 4] ?? 'OFF';
  }
}

/** Writes so many seconds of it as CSV. Returns the number of values. */
export async function writeDrive(file: string, seconds: number): Promise<number> {
  const stream = createWriteStream(file);
  stream.write('time,signal,datatype,value\n');
  for (let n = 0; n < hertz * seconds; n++) {
    const at = new Date(timeOf(n)).toISOString();
    const lines = momentOf(n).map(({ path, kind, value }) => `${at},${path},${kind},${value}\n`);
    if (!stream.write(lines.join(''))) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'close');
  return hertz * seconds * signals.length;
}
