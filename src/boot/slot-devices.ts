import type { BlockDevice, DeviceSpec } from '#host/block-device.ts';
import {
  allDevices,
  describeDevice,
  deviceHolding,
  matchingDevices,
  partitionsOf,
} from '#host/block-device.ts';
import { BootError } from './boot-error.ts';
import type { BootLoader, LoaderSetting } from './boot-loader.ts';
import type { FormatNote } from './format-note.ts';
import { readFormatNote } from './format-note.ts';
import type { SlotId } from './slots.ts';
import { slotIds } from './slots.ts';

/** The partitions of both slots, and which of them holds the running release. */
export type SlotDevices = Pick<BootLoader, 'booted' | 'devices'>;

/**
 * Finds the partitions of both slots by role: by `boot.slot_a` and `boot.slot_b` where they are set, else by partition
 * name and then by file system label `slot_a` and `slot_b` on the disk that the release runs from: another one that is
 * plugged in may have the same. The booted slot is the one that holds `boot.active_root`.
 * Errors: BootError `startup_failed`, which says what is missing, ambiguous or mixed up and how to mend it.
 */
export async function findSlotDevices(
  { activeRoot, options, bootDirectory }: Pick<LoaderSetting, 'activeRoot' | 'options' | 'bootDirectory'>,
  signal: AbortSignal,
): Promise<SlotDevices> {
  const running = await deviceHolding(activeRoot, signal);
  if (running === undefined) {
    throw unusable(`${activeRoot} lies on no block device`, 'slots of this boot control are disk partitions');
  }
  const note = await readFormatNote(bootDirectory);
  const nearby = await besides(running, signal);
  const devices = {
    slot_a: await find('slot_a', options.slotA, nearby, note, signal),
    slot_b: await find('slot_b', options.slotB, nearby, note, signal),
  };
  const { slot_a: a, slot_b: b } = devices;
  if (a.number === b.number || a.path === b.disk || b.path === a.disk) {
    const what = a.number === b.number ? a.path : `${a.path}, which overlaps ${b.path}`;
    throw unusable(`slot_a and slot_b are the same device: ${what}`, 'give each slot its own partition');
  }
  const booted = slotIds.find((slot) => devices[slot].number === running.number);
  if (booted === undefined) {
    throw unusable(
      `the running release lies on ${running.path}, which is neither slot_a (${a.path}) nor slot_b (${b.path})`,
      'name the partitions that this ECU boots from with the options boot.slot_a and boot.slot_b',
    );
  }
  return { booted, devices };
}

async function find(
  slot: SlotId,
  spec: DeviceSpec | undefined,
  nearby: readonly BlockDevice[],
  note: FormatNote | undefined,
  signal: AbortSignal,
): Promise<BlockDevice> {
  if (spec?.startsWith('/')) return atPath(slot, spec, signal);
  const specs = spec === undefined ? [`PARTLABEL=${slot}`, `LABEL=${slot}`] : [spec];
  for (const one of specs) {
    const device = onlyOne(slot, one, matchingDevices(one, nearby));
    if (device !== undefined) return device;
  }
  // A power cut while it was formatted took its label.
  const noted = nearby.find(({ partUuid }) => note?.slot === slot && partUuid === note.partUuid);
  if (noted !== undefined) return noted;
  const all = await allDevices(signal);
  if (spec !== undefined) {
    const device = onlyOne(slot, spec, matchingDevices(spec, all));
    if (device !== undefined) return device;
    throw unusable(
      `there is no partition for ${slot}: no device has ${spec}`,
      `correct the option boot.${slot}`,
    );
  }
  const elsewhere = specs.flatMap((one) => matchingDevices(one, all)).map(({ path }) => path);
  const who =
    elsewhere.length === 0 ? 'no device' : `only ${elsewhere.join(' and ')}, not on the disk that runs,`;
  throw unusable(
    `there is no partition for ${slot}: ${who} has ${specs.join(' or ')}`,
    `name its partition ${slot}, or say which it is with the option boot.${slot}`,
  );
}

/** The partitions of the disk that runs; where each slot is a whole disk, the whole disks. */
async function besides(running: BlockDevice, signal: AbortSignal): Promise<readonly BlockDevice[]> {
  if (running.partition !== undefined) return partitionsOf(running.disk, signal);
  return (await allDevices(signal)).filter(({ partition }) => partition === undefined);
}

function onlyOne(slot: SlotId, spec: DeviceSpec, found: readonly BlockDevice[]): BlockDevice | undefined {
  if (found.length <= 1) return found[0];
  const paths = found.map(({ path }) => path).join(' and ');
  throw unusable(
    `${slot} is ambiguous: ${paths} have ${spec}`,
    `name one partition with the option boot.${slot}`,
  );
}

async function atPath(slot: SlotId, path: string, signal: AbortSignal): Promise<BlockDevice> {
  try {
    return await describeDevice(path, signal);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BootError(
      'startup_failed',
      `there is no device for ${slot} at ${path} (${why}); correct the option boot.${slot}`,
      { cause: error },
    );
  }
}

function unusable(what: string, mend: string): BootError {
  return new BootError('startup_failed', `${what}; ${mend}`);
}
