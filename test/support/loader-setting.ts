import { join } from 'node:path';
import type { LoaderSetting } from '#boot/boot-loader.ts';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import { parseOptions } from '#config/options.ts';
import type { BlockDevice } from '#host/block-device.ts';
import { MemoryLog } from './memory-log.ts';

/** What a boot loader is given on an ECU whose running release lies in `activeRoot`. */
export interface TestSetting extends LoaderSetting {
  readonly log: MemoryLog;
  /** The arguments of every reboot. */
  readonly reboots: (readonly string[])[];
}

/** Options are the defaults, but boot tools must answer within `toolTimeoutMs`. */
export function loaderSetting(
  activeRoot: string,
  changed: Partial<LoaderSetting['options']> = {},
): TestSetting {
  const { options } = parseOptions(undefined, 'ota.yml', {});
  const reboots: (readonly string[])[] = [];
  return {
    activeRoot,
    runsMachine: false,
    bootDirectory: join(activeRoot, 'boot'),
    options: { ...options.boot, toolTimeoutMs: 5000, ...changed },
    reboot: async (args) => {
      reboots.push(args);
    },
    log: new MemoryLog(),
    reboots,
  };
}

/** Partitions as an ECU would have them: ext4, labelled by role. */
export function slotDevices(disk = '/dev/mmcblk0'): Readonly<Record<SlotId, BlockDevice>> {
  const [slot_a, slot_b] = slotIds.map(
    (label, index): BlockDevice => ({
      path: `${disk}p${index + 1}`,
      disk,
      partition: index + 1,
      sizeBytes: 1024 ** 3,
      number: `179:${index + 1}`,
      readOnly: false,
      filesystem: { type: 'ext4', uuid: `uuid-of-${label}`, label },
      partUuid: `partuuid-of-${label}`,
      partLabel: '',
      partType: '',
      otherContent: undefined,
    }),
  );
  if (slot_a === undefined || slot_b === undefined) throw new Error('there are two slots');
  return { slot_a, slot_b };
}
