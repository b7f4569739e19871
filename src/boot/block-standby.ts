import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlockDevice } from '#host/block-device.ts';
import { matchingDevices } from '#host/block-device.ts';
import { readAtMost } from '#host/durable-file.ts';
import { readExt4Shape } from '#host/ext4-shape.ts';
import type { NewFilesystem, SlotFilesystem } from '#host/make-filesystem.ts';
import { checkFilesystem, isSlotFilesystem } from '#host/make-filesystem.ts';
import { MountError } from '#host/mount-namespace.ts';
import { freeStaleMounts } from '#host/stale-mounts.ts';
import { BootError } from './boot-error.ts';
import type { LoaderSetting } from './boot-loader.ts';
import { readFormatNote } from './format-note.ts';
import { entriesOf, maxFstabBytes } from './fstab.ts';
import type { SlotMounts } from './slot-mounts.ts';

type StandbySetting = Pick<LoaderSetting, 'activeRoot' | 'options' | 'bootDirectory'>;

/** What is to be done with the file system of a standby slot before an update. */
export type StandbyPlan =
  | { readonly kind: 'reuse'; readonly filesystem: NewFilesystem }
  /** `why` is for people. */
  | { readonly kind: 'format'; readonly filesystem: NewFilesystem; readonly why: string };

/**
 * Decides whether the standby slot is updated in place or formatted. Frees it from left-over mounts. Writes nothing to
 * a file system that is clean; one that was not unmounted gets its journal written back.
 * Errors: BootError `prepare_failed`, with what is wrong with the partition and how to mend it.
 */
export async function planStandby(
  mounts: SlotMounts,
  active: BlockDevice,
  setting: StandbySetting,
  signal: AbortSignal,
): Promise<StandbyPlan> {
  const { options } = setting;
  await mounts.unmount(signal);
  const device = await mounts.describe(signal);
  await freeStaleMounts(device, signal);
  if (device.readOnly) {
    throw new BootError(
      'prepare_failed',
      `the standby partition ${device.path} is read only; look for a write-protected or failing disk (blockdev --getro)`,
    );
  }
  const existing = device.filesystem?.type;
  const filesystem = await filesystemFor(device, active, setting, signal);
  const format = (why: string): StandbyPlan => ({ kind: 'format', filesystem, why });
  if (existing === undefined) return format('it holds no file system');
  if (existing !== filesystem.type) return format(`it is ${existing}, not ${filesystem.type}`);
  if (!options.reuse) return format('boot.reuse is off');
  const { uuid, label } = device.filesystem ?? { uuid: '', label: '' };
  if (uuid === active.filesystem?.uuid) return format('it has the UUID of the running slot');
  if (filesystem.uuid !== uuid || filesystem.label !== label) return format('formatting was cut off');
  const problem = await problemOf(mounts, device, signal);
  return problem === undefined ? { kind: 'reuse', filesystem } : format(problem);
}

/**
 * What the daemon would probably do, told from what can be read beside it. Checks nothing, frees nothing.
 */
export async function guessStandby(
  mounts: SlotMounts,
  active: BlockDevice,
  setting: StandbySetting,
  signal: AbortSignal,
): Promise<StandbyPlan> {
  const device = await mounts.describe(signal);
  const filesystem = await filesystemFor(device, active, setting, signal);
  if (device.filesystem?.type !== filesystem.type) return { kind: 'format', filesystem, why: 'other type' };
  if (!setting.options.reuse) return { kind: 'format', filesystem, why: 'boot.reuse is off' };
  try {
    await mounts.mount('read', signal);
    return { kind: 'reuse', filesystem };
  } catch (error) {
    if (!(error instanceof MountError) || error.code !== 'mount_failed') throw error;
    return { kind: 'format', filesystem, why: error.message };
  }
}

/** Keeps UUID and label, by which boot menus and fstab know the slot. Errors: BootError `prepare_failed`. */
async function filesystemFor(
  device: BlockDevice,
  active: BlockDevice,
  { activeRoot, options, bootDirectory }: StandbySetting,
  signal: AbortSignal,
): Promise<NewFilesystem> {
  await refuseData(device, activeRoot);
  const known = [options.filesystem, device.filesystem?.type, active.filesystem?.type];
  const type: SlotFilesystem = known.find(isSlotFilesystem) ?? 'ext4';
  // What it was called before a formatting that was cut off.
  const note = await readFormatNote(bootDirectory);
  const called = note !== undefined && note.partUuid === device.partUuid ? note : device.filesystem;
  const uuid = called?.uuid ?? '';
  return {
    type,
    // A disk whose slots are copies of each other: the two must be told apart.
    uuid: uuid === active.filesystem?.uuid ? '' : fullUuid(uuid),
    label: called?.label ?? '',
    shape:
      type === 'ext4'
        ? ((await readExt4Shape(device, signal)) ?? (await readExt4Shape(active, signal)))
        : undefined,
  };
}

/** A slot never holds such: it is another partition than it is taken for. Errors: BootError `prepare_failed`. */
async function refuseData(device: BlockDevice, activeRoot: string): Promise<void> {
  const { path, otherContent } = device;
  const mend = 'correct boot.slot_a and boot.slot_b';
  if (otherContent !== undefined) {
    throw new BootError(
      'prepare_failed',
      `the standby partition ${path} holds no file system but ${otherContent}, and is not formatted; ${mend}, or, if ` +
        `nobody needs what it holds, run \`wipefs -a ${path}\``,
    );
  }
  const fstab = (await readAtMost(join(activeRoot, 'etc/fstab'), maxFstabBytes))?.toString('utf8') ?? '';
  for (const { spec, mountPoint, options } of entriesOf(fstab)) {
    if (mountPoint === '/' || options.split(',').includes('noauto')) continue;
    const named = spec.startsWith('/') ? await realpath(spec).catch(() => spec) : spec.replaceAll('"', '');
    if (matchingDevices(named, [device]).length === 0) continue;
    throw new BootError(
      'prepare_failed',
      `the running release mounts the standby partition ${path} at ${mountPoint} (/etc/fstab), and it is not ` +
        `formatted; ${mend}, or, if it is a slot, take that line away`,
    );
  }
}

/** Other file systems have shorter ones, which cannot be kept. */
function fullUuid(uuid: string): string {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid) ? uuid : '';
}

/** What speaks against using the file system further; undefined when nothing does: it is then mounted to be read. */
async function problemOf(
  mounts: SlotMounts,
  device: BlockDevice,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if (!(await checkFilesystem(device, signal)).clean) {
      // An update that was cut off leaves a journal that is to be written back, which only mounting does.
      await mounts.mount('write', signal);
      await mounts.unmount(signal);
      const again = await checkFilesystem(device, signal);
      if (!again.clean) return again.problem;
    }
    await mounts.mount('read', signal);
    return undefined;
  } catch (error) {
    if (error instanceof MountError && error.code === 'mount_failed') return error.message;
    throw error;
  }
}
