import { realpath, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, LoaderSetting } from '#boot/boot-loader.ts';
import { findSlotDevices } from '#boot/slot-devices.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import type { BlockDevice } from '#host/block-device.ts';
import { deviceHolding, partitionsOf, readMounts } from '#host/block-device.ts';
import type { BootPartition } from '#host/settled-file.ts';

/** A disk that GRUB boots one of two slots from, its boot partition mounted. */
export interface GrubLayout extends Pick<BootLoader, 'booted' | 'devices'> {
  /** `/boot`, mounted; both slots see it. */
  readonly boot: BlockDevice;
  readonly partition: BootPartition;
  readonly esp: BlockDevice | undefined;
  /** `grub` on the boot partition. */
  readonly grubDirectory: string;
  readonly bootUuid: string;
}

/** GPT and MBR type of an EFI system partition. */
const espTypes = ['c12a7328-f81f-11d2-ba4b-00a0c93ec93b', '0xef'];

/** GRUB overwrites its environment block in place; on other file systems it cannot, and would retry a bad slot for ever. */
const writableByGrub = ['ext2', 'ext3', 'ext4', 'xfs', 'vfat'];

/**
 * Finds boot partition and slots by partition number on the disk that the release runs from: with an EFI system partition
 * as number 1, `/boot` is 2 and the slots are 3 and 4; else they are 1, 2 and 3. Existing clients lay disks out so.
 * `boot.slot_a` and `boot.slot_b` win over numbers. Changes nothing.
 * Errors: BootError `startup_failed`, which says what is wrong and how to mend it.
 */
export async function readLayout(
  setting: Pick<LoaderSetting, 'activeRoot' | 'bootDirectory' | 'options'>,
  signal: AbortSignal,
): Promise<GrubLayout> {
  const { activeRoot, bootDirectory, options } = setting;
  const root = await deviceHolding(activeRoot, signal);
  if (root?.partition === undefined) {
    const where = root === undefined ? 'no block device' : `${root.path}, which is a whole disk`;
    throw unusable(
      `${activeRoot} lies on ${where}`,
      'boot control grub needs slots that are disk partitions',
    );
  }
  const partitions = await partitionsOf(root.disk, signal);
  const [first] = partitions;
  const esp = first?.partition === 1 && espTypes.includes(first.partType) ? first : undefined;
  const { booted, devices } =
    options.slotA === undefined && options.slotB === undefined
      ? slotsByNumber(root, partitions, esp === undefined ? 2 : 3, activeRoot)
      : await findSlotDevices(setting, signal);
  rejectTwins(devices);
  const { boot, partition } = await bootPartition(bootDirectory, devices, root.disk, signal);
  const expected = esp === undefined ? 1 : 2;
  if (options.slotA === undefined && options.slotB === undefined && boot.partition !== expected) {
    throw unusable(
      `${bootDirectory} is partition ${boot.partition} of ${root.disk}, not partition ${expected}`,
      'mount the boot partition that GRUB reads, or name the slots with the options boot.slot_a and boot.slot_b',
    );
  }
  const grubDirectory = join(partition.mountPoint, 'grub');
  if (!(await isDirectory(grubDirectory))) {
    throw unusable(`there is no ${grubDirectory}`, `install GRUB there with grub-install`);
  }
  return {
    booted,
    devices,
    boot,
    partition,
    esp,
    grubDirectory,
    bootUuid: boot.filesystem?.uuid ?? '',
  };
}

function slotsByNumber(
  root: BlockDevice,
  partitions: readonly BlockDevice[],
  firstSlot: number,
  activeRoot: string,
): Pick<BootLoader, 'booted' | 'devices'> {
  const numbered = (number: number): BlockDevice => {
    const found = partitions.find(({ partition }) => partition === number);
    if (found !== undefined) return found;
    const esp = firstSlot === 3 ? '1 for EFI, ' : '';
    throw unusable(
      `${root.disk} has no partition ${number} (it has ${partitions.map(({ partition }) => partition).join(', ')})`,
      `boot control grub needs partitions ${esp}${firstSlot - 1} for /boot, ${firstSlot} for slot_a and ` +
        `${firstSlot + 1} for slot_b, or the options boot.slot_a and boot.slot_b`,
    );
  };
  numbered(firstSlot - 1);
  const devices: Record<SlotId, BlockDevice> = {
    slot_a: numbered(firstSlot),
    slot_b: numbered(firstSlot + 1),
  };
  const booted = slotIds.find((slot) => devices[slot].number === root.number);
  if (booted === undefined) {
    throw unusable(
      `${activeRoot} lies on ${root.path}, which is neither slot_a (${devices.slot_a.path}) nor slot_b ` +
        `(${devices.slot_b.path})`,
      'lay the disk out as docs/operations.md says, or name the slots with the options boot.slot_a and boot.slot_b',
    );
  }
  return { booted, devices };
}

/** A slot that was copied from the other one block by block cannot be told from it: the kernel mounts either. */
function rejectTwins({ slot_a: a, slot_b: b }: BootLoader['devices']): void {
  const uuid = a.filesystem?.uuid ?? '';
  if (uuid === '' || uuid !== b.filesystem?.uuid) return;
  throw unusable(
    `slot_a (${a.path}) and slot_b (${b.path}) have the same file system UUID ${uuid}`,
    'give the slot that does not run another one, for example with `tune2fs -U random`',
  );
}

async function bootPartition(
  bootDirectory: string,
  devices: BootLoader['devices'],
  disk: string,
  signal: AbortSignal,
): Promise<{ readonly boot: BlockDevice; readonly partition: BootPartition }> {
  const directory = await realpath(bootDirectory).catch(() => bootDirectory);
  const boot = (await isDirectory(directory)) ? await deviceHolding(directory, signal) : undefined;
  const inSlot = slotIds.find((slot) => devices[slot].number === boot?.number);
  const mount = (await readMounts()).findLast(({ mountPoint }) => mountPoint === directory);
  if (boot === undefined || inSlot !== undefined || mount === undefined) {
    const where = inSlot === undefined ? 'no mounted partition' : `${inSlot} (${boot?.path})`;
    throw unusable(
      `the boot partition is not mounted at ${bootDirectory}, which lies on ${where}`,
      `mount the boot partition of ${disk} there, and put it into /etc/fstab`,
    );
  }
  if (boot.disk !== disk) {
    throw unusable(
      `the boot partition at ${bootDirectory} is ${boot.path}, but the release runs from ${disk}`,
      `mount the boot partition of ${disk} there`,
    );
  }
  const { type, uuid } = boot.filesystem ?? { type: 'none', uuid: '' };
  if (!writableByGrub.includes(type) || uuid === '') {
    throw unusable(
      `the boot partition ${boot.path} has a file system that GRUB cannot write to: ${type}`,
      `make it ${writableByGrub.slice(2).join(', ')}`,
    );
  }
  return { boot, partition: { mountPoint: directory, type } };
}

/** Errors: BootError `prepare_failed` when a boot partition has less than `bytes` free. */
export async function requireSpace(mountPoint: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(mountPoint);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new BootError(
    'prepare_failed',
    `the boot partition at ${mountPoint} is full: ${bytes} bytes are needed and ${free} are free; remove files that ` +
      'no slot boots from, or make the partition larger',
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path, { throwIfNoEntry: false }).catch(() => undefined))?.isDirectory() ?? false;
}

function unusable(what: string, mend: string): BootError {
  return new BootError('startup_failed', `${what}; ${mend}`);
}
