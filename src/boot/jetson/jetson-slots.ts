import { BootError } from '#boot/boot-error.ts';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import { findSlotDevices } from '#boot/slot-devices.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot } from '#boot/slots.ts';
import type { BlockDevice } from '#host/block-device.ts';
import { deviceHolding, partitionsOf } from '#host/block-device.ts';

/** Partitions of the disk of the root file system that NVIDIA's flashing tools make for the slots. */
const partitionNumbers = { slot_a: 1, slot_b: 2 } as const satisfies Record<SlotId, number>;

/**
 * The partitions of both slots: the first two of the disk that the release runs from, or what `boot.slot_a` and
 * `boot.slot_b` say. Errors: BootError `startup_failed`, when the disk and the firmware contradict each other.
 */
export async function findJetsonSlots(
  running: SlotId,
  setting: LoaderSetting,
): Promise<Readonly<Record<SlotId, BlockDevice>>> {
  const { activeRoot, options } = setting;
  const signal = AbortSignal.timeout(options.toolTimeoutMs);
  if (options.slotA !== undefined || options.slotB !== undefined) {
    const { booted, devices } = await findSlotDevices(setting, signal);
    return agreed(running, booted, devices);
  }
  const root = await deviceHolding(activeRoot, signal);
  if (root === undefined) {
    throw new BootError('startup_failed', `${activeRoot} lies on no block device; slots are disk partitions`);
  }
  const partitions = await partitionsOf(root.disk, signal);
  const find = (slot: SlotId): BlockDevice => {
    const device = partitions.find(({ partition }) => partition === partitionNumbers[slot]);
    if (device !== undefined) return device;
    throw new BootError(
      'startup_failed',
      `${root.disk} has no partition ${partitionNumbers[slot]} for ${slot}; flash this ECU with two root file ` +
        `systems (ROOTFS_AB=1), or name its partitions with boot.slot_a and boot.slot_b`,
    );
  };
  const devices = { slot_a: find('slot_a'), slot_b: find('slot_b') };
  const booted = root.number === devices[running].number ? running : otherSlot(running);
  return agreed(running, root.number === devices[booted].number ? booted : undefined, devices);
}

/** A tool that is wrong about what runs would have us write over it. */
function agreed(
  running: SlotId,
  booted: SlotId | undefined,
  devices: Readonly<Record<SlotId, BlockDevice>>,
): Readonly<Record<SlotId, BlockDevice>> {
  if (booted === running) return devices;
  const where = booted === undefined ? 'on another partition' : `on ${devices[booted].path} (${booted})`;
  throw new BootError(
    'startup_failed',
    `nvbootctrl says that ${running} (${devices[running].path}) runs, but the running release lies ${where}; ` +
      'correct root= in /boot/extlinux/extlinux.conf, or boot.slot_a and boot.slot_b',
  );
}
