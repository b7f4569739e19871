import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SlotId } from '#boot/slots.ts';
import { type DaemonLife, DaemonProcess } from '../support/daemon-process.ts';
import { makeTree, type UpdateWorld } from '../support/update-world.ts';
import { Ext4View } from './ext4-view.ts';
import { consumeNextEntry, hasOneShotChoice, parseEnvironment, readGrubBoot } from './grub-boot.ts';
import { type PartitionName, partitionNames } from './recorded-disk.ts';
import { kernelOf, manifest, releaseTree } from './releases.ts';

/** Paths in a slot that belong to no release: made by mkfs, and the daemon's own state. */
export const notOfRelease: readonly string[] = ['/lost+found', '/var/lib/ota'];

export interface VehicleDisk {
  partition(name: PartitionName): string;
}

/**
 * One ECU that boots from a disk with GRUB: the firmware, GRUB and init are played by this class, the daemon is the real one,
 * and so are disk, file systems, mounts and the server of images. Only for root.
 */
export class Vehicle {
  readonly world: UpdateWorld;
  readonly daemon: DaemonProcess;
  readonly disk: VehicleDisk;
  /** Where the running release and the boot partition are mounted. */
  readonly active: string;
  readonly boot: string;
  #mounted: string[] = [];
  #bootId = '';

  private constructor(world: UpdateWorld, daemon: DaemonProcess, disk: VehicleDisk) {
    this.world = world;
    this.daemon = daemon;
    this.disk = disk;
    this.active = join(world.directory, 'active');
    this.boot = join(world.directory, 'boot');
  }

  /** The disk must be laid out, by `layOut` or by an earlier vehicle with the same disk. */
  static async create(t: TestContext, world: UpdateWorld, disk: VehicleDisk): Promise<Vehicle> {
    const { directory } = world;
    const daemon = await DaemonProcess.create(t, {
      directory,
      ecuInfo: 'ecu_id: main\nbootloader: grub\nip_addr: 127.0.0.1\n',
      boot:
        `{ active_root: ${directory}/active, boot_directory: ${directory}/boot, ` +
        `mount_directory: ${directory}/mounts }`,
      state: `${directory}/active/var/lib/ota`,
      options: 'health: { hold_ms: 0 }\n',
    });
    const vehicle = new Vehicle(world, daemon, disk);
    mkdirSync(vehicle.active, { recursive: true });
    mkdirSync(vehicle.boot, { recursive: true });
    t.after(() => vehicle.powerOff());
    return vehicle;
  }

  /** Firmware, GRUB and kernel: takes the choice as GRUB does, mounts that slot and the boot partition. */
  bootUp(): SlotId {
    const device = this.disk.partition('boot');
    const bytes = readFileSync(device);
    const { next, problems } = readGrubBoot(bytes);
    if (next === undefined) throw new Error(`GRUB finds nothing to boot: ${problems.join('; ')}`);
    const { slot } = next;
    if (hasOneShotChoice(bytes)) overwriteInPlace(device, bytes, '/grub/grubenv', consumeNextEntry);
    for (const name of ['boot', slot] as const) check(this.disk.partition(name));
    this.#bootId = randomUUID();
    this.#mount(this.disk.partition(slot), this.active);
    this.#mount(device, this.boot);
    return slot;
  }

  /** Starts the daemon, in the boot that this class plays: what tells boots apart is another one after each `bootUp`. */
  startDaemon(life: DaemonLife = {}): void {
    const path = join(this.world.directory, 'boot-id');
    writeFileSync(path, `${this.#bootId}\n`);
    const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
    const under = ['unshare', '--mount', 'sh', '-c', script, path, ...(life.under ?? [])];
    this.daemon.start({ ...life, under });
  }

  /** Ends the daemon as a power cut would, and unmounts. */
  async powerOff(): Promise<void> {
    await this.daemon.end('SIGKILL');
    if (this.#mounted.length === 0) return;
    for (const at of this.#mounted.reverse()) run('umount', at);
    this.#mounted = [];
    for (const name of partitionNames) await released(this.disk.partition(name));
  }

  /** What of the tree that is mounted as the running release counts. */
  manifest(): readonly string[] {
    return manifest(this.active, notOfRelease);
  }

  #mount(device: string, at: string): void {
    run('mount', '-t', 'ext4', device, at);
    this.#mounted.push(at);
  }
}

/** Waits until no mount namespace holds a device any more: they end with the processes that the daemon left. */
export async function released(device: string): Promise<void> {
  const end = performance.now() + 10_000;
  for (;;) {
    try {
      closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL));
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await delay(10);
  }
}

/** As an initramfs does it: 1 says that errors were corrected. */
function check(device: string): void {
  try {
    run('e2fsck', '-p', device);
  } catch (error) {
    if ((error as { readonly status?: number }).status !== 1) throw error;
  }
}

/** GRUB writes into the blocks that a file has, past the file system and its journal. */
function overwriteInPlace(
  device: string,
  bytes: Buffer,
  path: string,
  change: (old: Buffer) => Buffer,
): void {
  const { at, length } = new Ext4View(bytes).locate(path);
  const old = bytes.subarray(at, at + length);
  if (parseEnvironment(old) === undefined) return;
  const file = openSync(device, 'r+');
  try {
    writeSync(file, change(old), 0, length, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Delivers the vehicle: boot partition, slot_a with a release, slot_b empty. Not recorded as part of any story. */
export async function layOut(disk: VehicleDisk, version: string, at: string): Promise<void> {
  mkdirSync(at, { recursive: true });
  const labels = { boot: 'boot', slot_a: 'slot_a', slot_b: 'slot_b' } as const;
  for (const name of ['boot', 'slot_a', 'slot_b'] as const) {
    run('mkfs.ext4', '-q', '-F', '-b', '4096', '-L', labels[name], disk.partition(name));
  }
  const mounted = async (name: PartitionName, fill: () => Promise<void>): Promise<void> => {
    run('mount', disk.partition(name), at);
    try {
      await fill();
    } finally {
      run('umount', at);
    }
  };
  await mounted('slot_a', () => makeTree(at, releaseTree(version)));
  await mounted('boot', async () => layOutBoot(at, version));
}

/** What the installer of a distribution leaves: kernel and initrd, and a menu that boots them. */
function layOutBoot(at: string, version: string): void {
  const tree = releaseTree(version);
  const kernel = kernelOf(version);
  mkdirSync(join(at, 'grub'));
  const names = [`vmlinuz-${kernel}`, `initrd.img-${kernel}`];
  for (const name of names) writeFileSync(join(at, name), tree[`boot/${name}`] as Buffer);
  writeFileSync(join(at, 'grub/grubenv'), '# GRUB Environment Block\n'.padEnd(1024, '#'));
  writeFileSync(
    join(at, 'grub/grub.cfg'),
    `set timeout=0\nmenuentry 'Vehicle' --id 'vehicle' {\n\tlinux /${names[0]} root=LABEL=slot_a ro\n` +
      `\tinitrd /${names[1]}\n}\n`,
  );
}

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
