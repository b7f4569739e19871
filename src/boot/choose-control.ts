import type { Bootloader } from '#config/ecu-info.ts';
import { BootError } from './boot-error.ts';
import type { LoaderKind, LoaderSetting } from './boot-loader.ts';
import { loaders } from './loaders.ts';

/** The boot control of this ECU, and why it is this one, for people. */
export type ControlChoice = { readonly reason: string } & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'loader'; readonly loader: LoaderKind }
);

export interface DirectoryReasons {
  readonly configured: string | undefined;
  /** Undefined when nobody prepared them. */
  readonly prepared: string | undefined;
}

export interface ChooseControl {
  /** `bootloader` of `ecu_info.yml`. */
  readonly bootloader: Bootloader;
  readonly setting: LoaderSetting;
  /** Why directories are meant: always, when they are configured, else where no loader is found. */
  readonly directory: DirectoryReasons;
  /** Replaces the loaders of this release. */
  readonly kinds?: readonly LoaderKind[];
}

/**
 * Chooses the boot control: the one that is named, else directories, if they are configured, else the first loader that
 * is found on this machine, else directories that somebody prepared. Changes nothing. Errors: BootError `startup_failed` when none is found; it tells what
 * came close.
 */
export async function chooseControl(choose: ChooseControl): Promise<ControlChoice> {
  const { bootloader, setting, directory, kinds = loaders } = choose;
  const named = `ecu_info.yml names it`;
  if (bootloader === 'directory') return { kind: 'directory', reason: named };
  if (bootloader !== 'auto_detect') {
    const loader = kinds.find(({ name }) => name === bootloader);
    if (loader !== undefined) return { kind: 'loader', loader, reason: named };
    throw new BootError('startup_failed', `boot control ${bootloader} is not part of this release`);
  }
  if (directory.configured !== undefined) return { kind: 'directory', reason: directory.configured };
  const found: { readonly loader: LoaderKind; readonly reason: string }[] = [];
  const close: string[] = [];
  for (const loader of kinds) {
    try {
      const detection = await loader.detect(setting);
      if (detection !== undefined) found.push({ loader, reason: detection.reason });
    } catch (error) {
      close.push(`${loader.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const [first, ...others] = found;
  if (first !== undefined) {
    const alsoFound = others.map(({ loader, reason }) => `${loader.name} (${reason})`).join(', ');
    const also = others.length === 0 ? '' : `; also found, but looked for later: ${alsoFound}`;
    return { kind: 'loader', loader: first.loader, reason: `found: ${first.reason}${also}` };
  }
  const { prepared } = directory;
  const closest = close.length === 0 ? '' : `; not taken: ${close.join('; ')}`;
  if (prepared !== undefined) {
    return { kind: 'directory', reason: `${prepared}, no boot loader was found${closest}` };
  }
  throw new BootError(
    'startup_failed',
    'no boot control was found; name one as `bootloader` in ecu_info.yml (`bootloader: directory` boots plain ' +
      `directories)${closest}`,
  );
}
