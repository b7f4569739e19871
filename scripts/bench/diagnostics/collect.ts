// Plays a recorded drive through the diagnostics of one ECU, measured from inside: prints one JSON line.
// Usage: node scripts/bench/diagnostics/collect.ts DRIVE DIRECTORY SPEED
import { drivePaths } from './drive.ts';
import { openCollection } from './open-collection.ts';

const [file, directory, speed] = process.argv.slice(2);
if (!file || !directory || !speed) throw new Error('three arguments are needed');
const { source, pipeline, ...collection } = await openCollection(
  { file, speed: Number(speed), loop: false },
  directory,
  drivePaths,
);
const before = process.cpuUsage();
const started = performance.now();
source.start();
await source.played();
await collection[Symbol.asyncDispose]();
// Everything that was kept is synced now.
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(before);
const { campaigns, droppedSamples } = pipeline.status();
const bench = campaigns.find(({ id }) => id === 'bench');
console.log(
  JSON.stringify({
    kept: bench?.samples ?? 0,
    dropped: (bench?.dropped ?? 0) + droppedSamples,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    rssMiB: process.resourceUsage().maxRSS / 1024,
  }),
);
