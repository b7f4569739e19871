import { access } from 'node:fs/promises';
import type { LoadedConfig } from '#config/load.ts';
import type { Log } from '#domain/log.ts';
import { openBlockSlots } from './block-control.ts';
import { BootError } from './boot-error.ts';
import type { LoaderSetting } from './boot-loader.ts';
import type { ControlChoice, DirectoryReasons } from './choose-control.ts';
import { chooseControl } from './choose-control.ts';
import { bootDirectorySlots, readDirectorySlots } from './directory.ts';
import type { Slots } from './slots.ts';

/**
 * Reboots what runs the slots: the machine, or, where the slots are directories, the daemon. Resolves once that is under
 * way. `args` are for the program `reboot`.
 */
export type Reboot = (target: 'machine' | 'daemon', args: readonly string[]) => Promise<void>;

export interface SlotsSource {
  readonly config: Pick<LoadedConfig, 'ecuInfo' | 'options' | 'set'>;
  readonly log: Log;
}

/**
 * Opens the slots by the boot control of this ECU, for the daemon; for one whose slots are directories this is the boot.
 * Errors: BootError `startup_failed`.
 */
export async function openSlots(source: SlotsSource, reboot: Reboot): Promise<Slots> {
  const setting = loaderSetting(source, reboot);
  const choice = await chooseBoot(source, setting);
  const name = choice.kind === 'directory' ? choice.kind : choice.loader.name;
  source.log.info({ bootloader: name, reason: choice.reason }, `boot control ${name}: ${choice.reason}`);
  if (choice.kind === 'loader') {
    return openBlockSlots(await choice.loader.open(setting, 'daemon'), setting, 'daemon');
  }
  const { path: directory } = setting.options.directory;
  return bootDirectorySlots({ directory, reboot: () => reboot('daemon', []) });
}

/** Opens the slots for a reader beside the daemon: changes nothing. Errors: BootError `startup_failed`. */
export async function readSlots(source: SlotsSource): Promise<Slots> {
  const setting = readerSetting(source);
  const choice = await chooseBoot(source, setting);
  if (choice.kind === 'directory') return readDirectorySlots(setting.options.directory.path);
  return openBlockSlots(await choice.loader.open(setting, 'reader'), setting, 'reader');
}

/** What a boot loader is given that is only looked at. */
export function readerSetting(source: SlotsSource): LoaderSetting {
  return loaderSetting(source, () =>
    Promise.reject(new BootError('reboot_failed', 'only the daemon reboots')),
  );
}

/** Errors: BootError `startup_failed` when there is no boot control for this ECU. */
export async function chooseBoot({ config }: SlotsSource, setting: LoaderSetting): Promise<ControlChoice> {
  return chooseControl({
    bootloader: config.ecuInfo.bootloader,
    setting,
    directory: await whyDirectories(config),
  });
}

function loaderSetting({ config, log }: SlotsSource, reboot: Reboot): LoaderSetting {
  const { boot } = config.options;
  const runsMachine = boot.runsMachine ?? boot.activeRoot === '/';
  const target = runsMachine ? 'machine' : 'daemon';
  return {
    activeRoot: boot.activeRoot,
    runsMachine,
    bootDirectory: boot.bootDirectory,
    options: boot,
    reboot: (args) => reboot(target, args),
    log,
  };
}

/** An old file without `bootloader` gets directories only where somebody prepared them. */
async function whyDirectories({ options, set }: SlotsSource['config']): Promise<DirectoryReasons> {
  const { path } = options.boot.directory;
  const isSet = set.some(({ name }) => name === 'boot.directory.path');
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return {
    configured: isSet ? `boot.directory.path is ${path}` : undefined,
    prepared: isThere ? `${path} is there` : undefined,
  };
}
