import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SlotId } from '#boot/slots.ts';
import type { EcuStatus } from '#domain/status.ts';
import { type DaemonLife, rebootExitCode } from '../support/daemon-process.ts';
import { UpdateWorld } from '../support/update-world.ts';
import { hashKernels } from './grub-boot.ts';
import { RecordedDisk } from './recorded-disk.ts';
import type { KnownRelease, Recording } from './recording.ts';
import { kernelOf, releaseTree } from './releases.ts';
import { layOut, notOfRelease, run, Vehicle } from './vehicle.ts';
import type { Promised } from './verdict.ts';
import { readWriteLog } from './write-log.ts';

/** What happens while the disk is recorded. */
export type Chapter = 'update' | 'rollback' | 'update in place' | 'update of the first slot';

export interface StorySetting {
  readonly chapters: readonly Chapter[];
  /** How every daemon in it runs. */
  readonly life?: DaemonLife;
  /** In memory, for the disk. */
  readonly directory: string;
}

/** A recording, and what is needed to go on from any point of it. */
export interface Story {
  readonly recording: Recording;
  readonly world: UpdateWorld;
}

/**
 * Records what the daemon writes to the disk of a vehicle: an update with its first boot and, as asked for, a rollback and another
 * update into the slot that is left. Every promise that was made is noted with its place in the log.
 */
export async function recordStory(t: TestContext, setting: StorySetting): Promise<Story> {
  const world = await UpdateWorld.create(t);
  mkdirSync(setting.directory, { recursive: true });
  t.after(() => rmSync(setting.directory, { recursive: true, force: true }));
  const disk = await RecordedDisk.create(setting.directory);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await disk[Symbol.asyncDispose]();
    isOpen = false;
  };
  try {
    await layOut(disk, '1', join(world.directory, 'at'));
    const teller = new Teller(await Vehicle.create(t, world, disk), disk, setting.life ?? {});
    try {
      await teller.begin();
      for (const chapter of setting.chapters) {
        if (chapter === 'update') await teller.update('2');
        if (chapter === 'rollback') await teller.rollBack();
        if (chapter === 'update in place') await teller.update('3');
        if (chapter === 'update of the first slot') await teller.update('4');
      }
      await teller.end();
    } finally {
      await teller.vehicle.powerOff();
    }
    await close();
    const { log, entries } = readWriteLog(disk.log);
    const { start, promises, releases } = teller;
    return { world, recording: { log, entries, start, promises, releases, except: notOfRelease } };
  } finally {
    await close();
  }
}

class Teller {
  readonly vehicle: Vehicle;
  readonly promises: Promised[] = [];
  readonly releases: KnownRelease[] = [];
  start = 0;
  readonly #disk: RecordedDisk;
  readonly #life: DaemonLife;
  #running: SlotId = 'slot_a';
  #version = '1';

  constructor(vehicle: Vehicle, disk: RecordedDisk, life: DaemonLife) {
    this.vehicle = vehicle;
    this.#disk = disk;
    this.#life = life;
  }

  /** A first start sets up what the daemon needs; from then on everything counts. */
  async begin(): Promise<void> {
    this.#running = this.vehicle.bootUp();
    this.#know('1');
    await this.#startDaemon();
    await this.vehicle.daemon.end('SIGTERM');
    run('sync');
    await this.#startDaemon();
    this.start = this.#disk.mark();
    this.#promise('delivery', { may: ['1'], boots: 'slot_a' });
  }

  async update(version: string): Promise<void> {
    const { vehicle } = this;
    const { world, daemon } = vehicle;
    await world.publish(releaseTree(version));
    const old = this.#version;
    this.#promise(`request of ${version}`, { may: [old, version] });
    const [answer] = await daemon.update({ version, url: world.server.origin.href });
    if (answer?.result !== 'NO_FAILURE') throw new Error(`the update was refused: ${answer?.message}`);
    await this.#switch(old, version);
  }

  async rollBack(): Promise<void> {
    const { daemon } = this.vehicle;
    const old = this.#version;
    const version = '1';
    this.#promise('request of a rollback', { may: [old, version] });
    const [answer] = await daemon.client.rollback({ ecuIds: ['main'], requestId: '' }, daemon.call());
    if (answer?.result !== 'NO_FAILURE') throw new Error(`the rollback was refused: ${answer?.message}`);
    await this.#switch(old, version);
  }

  async end(): Promise<void> {
    await this.vehicle.daemon.end('SIGTERM');
  }

  /** The daemon reboots, the other slot comes up and is kept. */
  async #switch(old: string, version: string): Promise<void> {
    const { vehicle } = this;
    const target: SlotId = this.#running === 'slot_a' ? 'slot_b' : 'slot_a';
    await this.#reboots();
    this.#promise(`reboot into ${version}`, { may: [old, version], boots: target });
    await vehicle.powerOff();
    // GRUB takes the choice for one boot away: from here on a cut leads back.
    this.#promise(`boot of ${version}`, { may: [old, version] });
    this.#running = vehicle.bootUp();
    if (this.#running !== target) throw new Error(`${this.#running} came up, not ${target}`);
    this.#know(version);
    await this.#startDaemon();
    // What the vehicle was delivered with has no version.
    await vehicle.daemon.until('SUCCESS', version === '1' ? '' : version, 60_000);
    this.#promise(`success of ${version}`, { may: [version], stays: target });
    this.#version = version;
  }

  /** Errors: Error when the daemon comes to rest, or ends, without asking for a reboot. */
  async #reboots(): Promise<void> {
    const { daemon } = this.vehicle;
    const exit = daemon.exitCode();
    const end = performance.now() + 120_000;
    for (;;) {
      const code = await Promise.race([exit, delay(100)]);
      if (code === rebootExitCode) return;
      const status = code === undefined ? await daemon.status() : undefined;
      const isOver = status?.status.endsWith('FAILURE') === true || performance.now() > end;
      if (code === undefined && !isOver) continue;
      const why = status?.failure?.reason ?? `exit code ${String(code)}`;
      throw new Error(`no reboot, but ${why}: ${daemon.log.slice(-3000)}`);
    }
  }

  async #startDaemon(): Promise<EcuStatus> {
    const { daemon } = this.vehicle;
    this.vehicle.startDaemon(this.#life);
    const end = performance.now() + 60_000;
    while (performance.now() < end) {
      const status = await daemon.status();
      if (status !== undefined) return status;
      await delay(20);
    }
    throw new Error(`the daemon does not answer: ${daemon.log.slice(-3000)}`);
  }

  #promise(what: string, promised: Omit<Promised, 'from' | 'what'>): void {
    this.promises.push({ from: this.#disk.mark(), what, ...promised });
  }

  /** The release that is mounted now, whole: what every later disk is compared with. */
  #know(version: string): void {
    if (this.releases.some((release) => release.version === version)) return;
    const tree = releaseTree(version);
    const kernel = kernelOf(version);
    const contents = [`boot/vmlinuz-${kernel}`, `boot/initrd.img-${kernel}`].map(
      (path) => tree[path] as Buffer,
    );
    this.releases.push({ version, manifest: this.vehicle.manifest(), kernels: hashKernels(contents) });
  }
}
