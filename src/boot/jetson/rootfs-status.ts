import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import { runBootTool } from '#boot/boot-tool.ts';
import type { SlotId } from '#boot/slots.ts';
import { readAtMost } from '#host/durable-file.ts';

/** Where the kernel shows the firmware's variables. */
export const efivarsDirectory = '/sys/firmware/efi/efivars';

/** @see https://docs.nvidia.com/jetson/archives/r36.4.3/DeveloperGuide/SD/Bootloader/UEFI.html */
const variables = {
  slot_a: 'RootfsStatusSlotA-781e084c-a330-417c-b678-38e696380cb9',
  slot_b: 'RootfsStatusSlotB-781e084c-a330-417c-b678-38e696380cb9',
} as const satisfies Record<SlotId, string>;

/** Attributes (non-volatile, boot service and runtime access), then the value: 0 is normal, 0xFF unbootable. */
const normal = Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]);

export interface RootfsStatusSetting {
  readonly activeRoot: string;
  readonly efivars: string;
  readonly timeoutMs: number;
}

/**
 * Takes back that the firmware holds a slot for unbootable, which it does after failed boots and never forgets: the slot
 * holds another release by now. Only where the variables lie in QSPI flash, as existing clients do it; elsewhere the
 * firmware keeps them in another place. Errors: BootError `switch_failed`.
 */
export async function resetRootfsStatus(slot: SlotId, setting: RootfsStatusSetting): Promise<void> {
  const { activeRoot, efivars, timeoutMs } = setting;
  const path = join(efivars, variables[slot]);
  const conf = (await readAtMost(join(activeRoot, 'etc/nv_boot_control.conf'), 64 * 1024))?.toString() ?? '';
  if (!/^\s*TEGRA_OTA_BOOT_DEVICE\s+\/dev\/mtdblock0/m.test(conf)) {
    throw refused(slot, 'the firmware of this ECU does not keep its variables in QSPI flash');
  }
  // The kernel protects variables from `rm -rf` by making them immutable.
  const chattr = { program: 'chattr', mend: 'install e2fsprogs', timeoutMs };
  await runBootTool(chattr, ['-i', path], 'switch_failed');
  try {
    await writeInOnePiece(path);
  } catch (error) {
    throw refused(slot, `${path} could not be written`, error);
  } finally {
    await runBootTool(chattr, ['+i', path], 'switch_failed');
  }
}

/** The kernel takes a variable in a single write only, and a file may not be made for it here. */
async function writeInOnePiece(path: string): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r+');
    const { bytesWritten } = await file.write(normal);
    if (bytesWritten !== normal.length) throw new Error(`only ${bytesWritten} bytes were taken`);
  } finally {
    await file?.close();
  }
}

function refused(slot: SlotId, why: string, cause?: unknown): BootError {
  return new BootError(
    'switch_failed',
    `the firmware holds ${slot} for unbootable after failed boots, and that cannot be reset here: ${why}; reset ` +
      `${variables[slot].slice(0, 'RootfsStatusSlotA'.length)} as the Jetson Linux guide describes`,
    cause === undefined ? {} : { cause },
  );
}
