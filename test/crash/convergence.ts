import type { TestContext } from 'node:test';
import { UpdateWorld } from '../support/update-world.ts';
import { askedTwice, bringTo } from './bring-to.ts';
import type { KnownRelease } from './recording.ts';
import { manifestDifferences, releaseTree } from './releases.ts';
import { Vehicle, type VehicleDisk } from './vehicle.ts';

/**
 * Goes on with a disk as a power cut left it: boots it, lets the daemon find out what happened, asks for `wanted`, and boots on
 * until that release is confirmed. `there` are the hashes of what lies whole in the slots. The answer is what went wrong.
 */
export async function converge(
  t: TestContext,
  disk: VehicleDisk,
  wanted: KnownRelease,
  there: ReadonlySet<string>,
): Promise<readonly string[]> {
  const world = await UpdateWorld.create(t);
  await world.publish(releaseTree(wanted.version));
  const vehicle = await Vehicle.create(t, world, disk);
  try {
    vehicle.bootUp();
    vehicle.startDaemon();
    await bringTo(vehicle, wanted.version);
    const twice = askedTwice(world, wanted.version, there);
    return [
      ...manifestDifferences(withoutFstab(vehicle.manifest()), withoutFstab(wanted.manifest)),
      ...twice.map((path) => `${path} was downloaded, but lay whole on the disk`),
    ];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [`${why}\n${vehicle.daemon.log.slice(-4000)}`];
  } finally {
    await vehicle.powerOff();
  }
}

/** The release may have come to the other slot this time, whose "/" is another file system. */
function withoutFstab(manifest: readonly string[]): readonly string[] {
  return manifest.filter((line) => !line.startsWith('/etc/fstab '));
}
