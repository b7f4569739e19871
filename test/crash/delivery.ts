import { constants, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { DaemonLife } from '../support/daemon-process.ts';
import { UpdateWorld } from '../support/update-world.ts';
import { contentsBelow } from './bring-to.ts';
import { DiskFile } from './disk-file.ts';
import { releaseTree } from './releases.ts';
import { layOut, released, run, Vehicle } from './vehicle.ts';

/**
 * A vehicle as it is delivered, with release 1 running and release 2 on its server. Each test goes on with a copy of its disk.
 */
export class Delivery {
  readonly world: UpdateWorld;
  readonly #directory: string;
  #copies = 0;

  private constructor(world: UpdateWorld, directory: string) {
    this.world = world;
    this.#directory = directory;
  }

  static async create(t: TestContext, directory: string): Promise<Delivery> {
    const world = await UpdateWorld.create(t);
    await world.publish(releaseTree('2'));
    mkdirSync(directory, { recursive: true });
    const delivery = new Delivery(world, directory);
    using disk = DiskFile.create(delivery.#original);
    await layOut(disk, '1', join(directory, 'at'));
    // The first start takes over the boot menu.
    const vehicle = await Vehicle.create(t, world, disk);
    vehicle.bootUp();
    await startDaemon(vehicle);
    await vehicle.daemon.end('SIGTERM');
    await vehicle.powerOff();
    return delivery;
  }

  /** Runs a test on a new copy, booted and without a daemon. */
  async withVehicle<T>(t: TestContext, use: (vehicle: Vehicle, disk: DiskFile) => Promise<T>): Promise<T> {
    const path = join(this.#directory, `disk-${this.#copies++}`);
    copyFileSync(this.#original, path, constants.COPYFILE_FICLONE);
    using disk = DiskFile.open(path);
    const vehicle = await Vehicle.create(t, this.world, disk);
    try {
      vehicle.bootUp();
      return await use(vehicle, disk);
    } finally {
      await vehicle.powerOff();
    }
  }

  /** Hashes of everything that lies whole in the slots, once the mounts of a daemon that was killed are gone. */
  async contents(vehicle: Vehicle, disk: DiskFile): Promise<ReadonlySet<string>> {
    const at = join(this.#directory, 'at');
    await released(disk.partition('slot_b'));
    run('mount', '-t', 'ext4', disk.partition('slot_b'), at);
    try {
      return new Set([...contentsBelow(at), ...contentsBelow(vehicle.active)]);
    } finally {
      run('umount', at);
    }
  }

  get #original(): string {
    return join(this.#directory, 'delivered');
  }
}

/** Starts a daemon and waits until it answers. Errors: Error when it does not within 60 s. */
export async function startDaemon(vehicle: Vehicle, life?: DaemonLife): Promise<void> {
  const { daemon } = vehicle;
  vehicle.startDaemon(life);
  const end = performance.now() + 60_000;
  while ((await daemon.status()) === undefined) {
    if (performance.now() > end) throw new Error(`the daemon does not answer: ${daemon.log.slice(-3000)}`);
    await delay(20);
  }
}
