// What diagnostics cost: processor, memory, bytes per value, and an update beside them. Prints medians.
// Usage: npm run bench:diagnostics -- [--minutes N] [--speed N] [--rounds N] [--directory DIR]
// `--speed 1` plays the drive in its own time; a faster one costs the same for each value and takes less patience.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startImageServer } from '../demo/image-server.ts';
import { writeDrive } from './diagnostics/drive.ts';
import { sizes } from './diagnostics/sizes.ts';
import { makeImage } from './made-image.ts';
import { spread } from './shell.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    speed: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '5' },
    directory: { type: 'string', default: join(tmpdir(), `ota-diagnostics-${process.pid}`) },
  },
});
const directory = resolve(values.directory);
const seconds = Number(values.minutes) * 60;
const rounds = Number(values.rounds);

interface Collected {
  readonly kept: number;
  readonly dropped: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

async function runScript<T>(name: string, ...args: string[]): Promise<T> {
  const script = join(import.meta.dirname, name);
  const child = spawn(process.execPath, ['--optimize-for-size', script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
  return JSON.parse(output) as T;
}

async function collect(drive: string, speed: string): Promise<Collected & { readonly bytes: number }> {
  const state = join(directory, 'state');
  rmSync(state, { recursive: true, force: true });
  const collected = await runScript<Collected>('diagnostics/collect.ts', drive, state, speed);
  const spool = join(state, 'diagnostics');
  const files = readdirSync(spool, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.avro'),
  );
  const bytes = files.reduce((sum, name) => sum + statSync(join(spool, name)).size, 0);
  return { ...collected, bytes };
}

/** Seconds of the same update, in turn without and with diagnostics beside it. */
async function updates(drive: string): Promise<{ readonly alone: number[]; readonly beside: number[] }> {
  const { old, image, trust } = await makeImage(directory, { files: 30_000, bytes: 16_000, freshPart: 0.02 });
  await using server = await startImageServer({
    folders: new Map([['image', image]]),
    host: '127.0.0.1',
    port: 0,
  });
  const url = new URL('image/', server.url).href;
  const once = async (script: string, ...before: string[]): Promise<number> => {
    const slot = join(directory, 'slot_b');
    for (const place of [slot, `${slot}.work`, join(directory, 'engine')]) {
      rmSync(place, { recursive: true, force: true });
    }
    const args = [...before, old, slot, `${slot}.work`, url, trust, join(directory, 'engine')];
    return (await runScript<{ readonly seconds: number }>(script, ...args)).seconds;
  };
  const [alone, beside]: [number[], number[]] = [[], []];
  // The first one warms up what the others find warm.
  await once('update-once.ts');
  for (let round = 0; round < rounds; round++) {
    alone.push(await once('update-once.ts'));
    beside.push(await once('diagnostics/update-beside.ts', drive, join(directory, 'beside')));
  }
  return { alone, beside };
}

try {
  mkdirSync(directory, { recursive: true });
  const drive = join(directory, 'drive.csv');
  const count = await writeDrive(drive, seconds);
  console.log(`a drive of ${seconds} s: ${count} values of 200 signals at 10 Hz`);

  const played = await collect(drive, values.speed);
  const share = (100 * played.cpuSeconds) / seconds;
  console.log(`at speed ${values.speed}: ${share.toFixed(2)} % of one core for each second of the drive,`);
  console.log(`  ${played.kept} kept, ${played.dropped} dropped, peak RSS ${played.rssMiB.toFixed(0)} MiB`);

  const fast: (Collected & { readonly bytes: number })[] = [];
  for (let round = 0; round < rounds; round++) fast.push(await collect(drive, '0'));
  const rates = fast.map((one) => one.kept / one.seconds / 1000);
  console.log(`as fast as it can be read: ${spread(rates, 0)} thousand values per second, synced,`);
  console.log(
    `  ${fast.reduce((sum, { dropped }) => sum + dropped, 0)} dropped, ` +
      `peak RSS ${spread(
        fast.map(({ rssMiB }) => rssMiB),
        0,
      )} MiB`,
  );

  console.log(
    `bytes per value: ${(played.bytes / played.kept).toFixed(2)} in the spool, deflated, headers included`,
  );
  for (const { name, raw, deflated } of sizes()) {
    console.log(
      `  ${name.padEnd(36)} ${raw.toFixed(1).padStart(6)} as it is ${deflated.toFixed(2).padStart(6)} deflated`,
    );
  }

  const { alone, beside } = await updates(drive);
  // Each pair by itself: what else the machine does changes over minutes.
  const losses = alone.map((seconds, round) => 100 * ((beside[round] ?? Number.NaN) / seconds - 1));
  console.log(
    `an update: ${spread(alone)} s alone, ${spread(beside)} s beside diagnostics: ${spread(losses, 1)} % more`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
