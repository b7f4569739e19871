// One update by the engine, while the same process plays a drive into its diagnostics.
// Usage: node scripts/bench/diagnostics/update-beside.ts DRIVE DIRECTORY ACTIVE STANDBY WORK URL TRUST STATE
import { drivePaths } from './drive.ts';
import { openCollection } from './open-collection.ts';

const [file, directory] = process.argv.splice(2, 2);
if (!file || !directory) throw new Error('eight arguments are needed');
await using collection = await openCollection({ file, speed: 1, loop: true }, directory, drivePaths);
const connected = Promise.withResolvers<void>();
collection.pipeline.store.subscribe((path) => {
  if (path === drivePaths[0]) connected.resolve();
});
collection.source.start();
await connected.promise;
await import('../update-once.ts');
