import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, Detection, LoaderKind, LoaderSetting, SlotTree } from '#boot/boot-loader.ts';
import { requireWritable } from '#boot/boot-place.ts';
import type { FstabEntry } from '#boot/fstab.ts';
import { installFstab } from '#boot/fstab.ts';
import { newestKernel } from '#boot/kernels.ts';
import type { SlotDevices } from '#boot/slot-devices.ts';
import { findSlotDevices } from '#boot/slot-devices.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import type { BlockDevice } from '#host/block-device.ts';
import { deviceHolding } from '#host/block-device.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { BootPartition } from './boot-partition.ts';
import { installDeviceTrees } from './device-trees.ts';

/** Raspberry Pi 4 and later: `config.txt`, and `tryboot.txt` for one boot. Disks of existing clients are used as they are. */
export const rpi: LoaderKind = { name: 'rpi_boot', detect, open };

async function detect({ bootDirectory }: LoaderSetting): Promise<Detection | undefined> {
  const partition = await BootPartition.find(bootDirectory);
  if (partition === undefined) return undefined;
  return { reason: `${partition.directory} has a config.txt for each slot` };
}

async function open(setting: LoaderSetting, role: 'daemon' | 'reader'): Promise<BootLoader> {
  const { bootDirectory } = setting;
  const partition = await BootPartition.find(bootDirectory);
  if (partition === undefined) {
    throw new BootError(
      'startup_failed',
      `neither ${join(bootDirectory, 'firmware')} nor ${bootDirectory} has config.txt_slot_a and config.txt_slot_b; ` +
        'mount the boot partition there, or set boot.boot_directory',
    );
  }
  await partition.check();
  const signal = AbortSignal.timeout(setting.options.toolTimeoutMs);
  const found = await findSlotDevices(setting, signal);
  await requireOutside(partition.directory, found.devices, signal);
  if (role === 'daemon') {
    await requireWritable(partition.directory, 'the boot partition');
    await partition.sweep();
  }
  return new RpiLoader(partition, found, setting);
}

/** What an image has in the place of the boot partition is not what the firmware reads. */
async function requireOutside(
  directory: string,
  devices: SlotDevices['devices'],
  signal: AbortSignal,
): Promise<void> {
  const holding = await deviceHolding(directory, signal);
  const slot = slotIds.find((id) => devices[id].number === holding?.number);
  if (slot === undefined) return;
  throw new BootError(
    'startup_failed',
    `${directory} lies inside ${slot} (${devices[slot].path}), where the firmware does not see it; mount the boot ` +
      'partition there, and put it into /etc/fstab',
  );
}

export class RpiLoader implements BootLoader {
  readonly name = 'rpi_boot';
  readonly booted: SlotId;
  readonly devices: Readonly<Record<SlotId, BlockDevice>>;
  readonly status = { kind: 'in_slot', path: '/boot/ota-status' } as const;
  readonly #partition: BootPartition;
  readonly #setting: LoaderSetting;

  constructor(partition: BootPartition, { booted, devices }: SlotDevices, setting: LoaderSetting) {
    this.booted = booted;
    this.devices = devices;
    this.#partition = partition;
    this.#setting = setting;
  }

  async install(tree: SlotTree): Promise<void> {
    const { slot, root, device } = tree;
    const boot = await resolveInRoot(root, '/boot');
    const { version, kernel, initrds } = await newestKernel(boot);
    const name = rootName(slot, device);
    await installFstab(tree, {
      root: name,
      rootType: device.filesystem?.type ?? 'ext4',
      vehicle: [this.#bootMount()],
    });
    await this.#partition.install('vmlinuz', slot, join(boot, kernel));
    await this.#partition.install('initrd.img', slot, join(boot, initrds.at(-1) ?? initrds[0]));
    await installDeviceTrees(root, version, this.#partition, slot);
    await this.#partition.setRoot(slot, name);
  }

  /** The firmware keeps the flag over a reboot, not over a power cycle: a running slot cannot be let boot once more. */
  async tryOnce(slot: SlotId): Promise<void> {
    if (slot === this.booted) {
      throw new BootError('switch_failed', 'a Raspberry Pi keeps no boot choice over a power cycle');
    }
    await this.#partition.choose('tryboot.txt', slot);
  }

  async makeDefault(slot: SlotId): Promise<void> {
    await this.#partition.choose('config.txt', slot);
    await this.#partition.forgetTry();
  }

  async cancelTry(): Promise<void> {
    await this.#partition.forgetTry();
  }

  async reboot(): Promise<void> {
    const trying = await this.#partition.chosen('tryboot.txt');
    // A release on trial that reboots is given up: what it was tried with may still lie there.
    const isTry = trying !== undefined && trying !== this.booted;
    // One argument for the kernel: the partition number, 0 for the usual one, and the flag.
    await this.#setting.reboot(isTry ? ['0 tryboot'] : []);
  }

  /** As existing clients write it; what the running release's fstab says wins. */
  #bootMount(): FstabEntry {
    const mountPoint = this.#partition.directory === this.#setting.bootDirectory ? '/boot' : '/boot/firmware';
    return { spec: 'LABEL=system-boot', mountPoint, type: 'vfat', options: 'defaults', dump: '0', pass: '1' };
  }
}

/** Labels are what existing disks go by; a slot that was found by its partition's name may have none. */
function rootName(slot: SlotId, { filesystem, partUuid }: BlockDevice): string {
  return filesystem?.label === slot || partUuid === '' ? `LABEL=${slot}` : `PARTUUID=${partUuid}`;
}
