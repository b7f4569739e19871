import type { BootLoader } from '#boot/boot-loader.ts';
import { bootDirectoryState } from '#boot/directory.ts';
import { chooseBoot, readerSetting } from '#boot/open-slots.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import type { LoadedConfig } from '#config/load.ts';
import type { Log } from '#domain/log.ts';

/** The boot control of the machine that the check runs on, and what it works with. */
export interface BootCheck {
  /** Name of the boot control; undefined when there is none. */
  readonly control: string | undefined;
  /** Why it is this one. */
  readonly reason: string | undefined;
  /** Undefined when it could not be found out. */
  readonly booted: SlotId | undefined;
  readonly slots: readonly CheckedSlot[];
  /** Why this ECU would take no updates. */
  readonly problem: string | undefined;
}

export interface CheckedSlot {
  readonly slot: SlotId;
  /** Device node or directory. */
  readonly place: string;
  /** File system, partition name and label, for people; empty for a directory. */
  readonly is: string;
  /** Where its status files lie; below its own "/" where that is not mounted. */
  readonly status: string;
}

const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** Looks at the boot control as the daemon does at its start. Changes and mounts nothing. Never throws. */
export async function checkBoot(config: LoadedConfig): Promise<BootCheck> {
  const source = { config, log: quiet };
  const setting = readerSetting(source);
  let known: Pick<BootCheck, 'control' | 'reason'> = { control: undefined, reason: undefined };
  try {
    const choice = await chooseBoot(source, setting);
    if (choice.kind === 'directory') {
      known = { control: 'directory', reason: choice.reason };
      return { ...known, ...(await directorySlots(setting.options.directory.path)), problem: undefined };
    }
    known = { control: choice.loader.name, reason: choice.reason };
    const loader = await choice.loader.open(setting, 'reader');
    const slots = slotIds.map((slot) => checkedSlot(slot, loader));
    return { ...known, booted: loader.booted, slots, problem: undefined };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...known, booted: undefined, slots: [], problem };
  }
}

async function directorySlots(directory: string): Promise<Pick<BootCheck, 'booted' | 'slots'>> {
  const { booted, slots } = await bootDirectoryState(directory);
  return { booted, slots: slots.map(({ slot, root, status }) => ({ slot, place: root, is: '', status })) };
}

function checkedSlot(slot: SlotId, { devices, status }: BootLoader): CheckedSlot {
  const { path, filesystem, partLabel } = devices[slot];
  const is = [
    filesystem === undefined ? 'no file system' : filesystem.type,
    ...(partLabel === '' ? [] : [`PARTLABEL=${partLabel}`]),
    ...(filesystem === undefined || filesystem.label === '' ? [] : [`LABEL=${filesystem.label}`]),
  ].join(', ');
  const where = status.kind === 'shared' ? status.directory(slot) : `${status.path} in ${slot}`;
  return { slot, place: path, is, status: where };
}
