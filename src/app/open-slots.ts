import { access } from 'node:fs/promises';
import { BootError } from '#boot/boot-error.ts';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import type { LoadedConfig } from '#config/load.ts';

/**
 * Opens the slots by the boot control that the configuration names; this is the boot of a control whose slots are
 * directories. Errors: BootError `startup_failed`.
 */
export async function openSlots(config: LoadedConfig, reboot: () => Promise<void>): Promise<Slots> {
  const { bootloader } = config.ecuInfo;
  const directory = config.options.boot.directory.path;
  switch (bootloader) {
    case 'directory':
      return bootDirectorySlots({ directory, reboot });
    case 'auto_detect':
      if (await isMeant(config, directory)) return bootDirectorySlots({ directory, reboot });
      throw new BootError(
        'startup_failed',
        `no boot control was found; write \`bootloader: directory\` into ecu_info.yml to use ${directory}`,
      );
    default:
      throw new BootError('startup_failed', `boot control ${bootloader} is not supported by this release`);
  }
}

/** An old file without `bootloader` gets directories only where somebody prepared them. */
async function isMeant(config: LoadedConfig, directory: string): Promise<boolean> {
  if (config.set.some(({ name }) => name === 'boot.directory.path')) return true;
  return access(directory).then(
    () => true,
    () => false,
  );
}
