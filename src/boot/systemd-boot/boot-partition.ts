import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, LoaderSetting } from '#boot/boot-loader.ts';
import { slotIds } from '#boot/slots.ts';
import { deviceHolding } from '#host/block-device.ts';

/** Where $BOOT of the Boot Loader Specification is mounted: the extended boot partition, or else the ESP. */
export async function findBootPartition(
  { activeRoot, bootDirectory }: Pick<LoaderSetting, 'activeRoot' | 'bootDirectory'>,
  devices: BootLoader['devices'],
  signal: AbortSignal,
): Promise<string> {
  const candidates = mountPoints({ activeRoot, bootDirectory });
  const inSlots: string[] = [];
  // Entries are read from both partitions; those of an extended boot partition are the ones in use.
  for (const looksRight of [hasEntries, hasSystemdBoot]) {
    for (const path of candidates) {
      if (!(await looksRight(path))) continue;
      const device = await deviceHolding(path, signal);
      if (!slotIds.some((id) => devices[id].number === device?.number)) return path;
      inSlots.push(path);
    }
  }
  const [inSlot] = inSlots;
  throw new BootError(
    'startup_failed',
    inSlot === undefined
      ? `neither loader/entries nor EFI/systemd was found in ${candidates.join(', ')}; mount the EFI system partition ` +
          'there, and run `bootctl install` if systemd-boot is not on it'
      : `${inSlot} lies inside a slot, where systemd-boot does not see it; mount the EFI system partition there`,
  );
}

/** The path under which systemd-boot lies, if it is mounted anywhere. */
export async function findSystemdBoot(
  setting: Pick<LoaderSetting, 'activeRoot' | 'bootDirectory'>,
): Promise<string | undefined> {
  for (const path of mountPoints(setting)) if (await hasSystemdBoot(path)) return join(path, 'EFI/systemd');
  return undefined;
}

/** In the order in which `bootctl` looks for them. */
function mountPoints({
  activeRoot,
  bootDirectory,
}: Pick<LoaderSetting, 'activeRoot' | 'bootDirectory'>): readonly string[] {
  return [bootDirectory, join(bootDirectory, 'efi'), join(activeRoot, 'efi')];
}

async function hasEntries(path: string): Promise<boolean> {
  return (await stat(join(path, 'loader/entries'), { throwIfNoEntry: false }))?.isDirectory() ?? false;
}

async function hasSystemdBoot(path: string): Promise<boolean> {
  const names = await readdir(join(path, 'EFI/systemd')).catch((): string[] => []);
  return names.some((name) => /^systemd-boot\w+\.efi$/i.test(name));
}
