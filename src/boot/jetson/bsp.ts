import { BootError } from '#boot/boot-error.ts';
import { readAtMost } from '#host/durable-file.ts';
import { resolveInRoot } from '#host/root-path.ts';

/** A version of Jetson Linux (the board support package), such as `R35.4.1`. */
export interface BspVersion {
  readonly branch: number;
  /** `35.4.1`, as nvbootctrl writes it. */
  readonly text: string;
}

/** CBoot went with R34, and UEFI came. */
export const firstUefiBranch = 34;

/** What a release says in `/etc/nv_tegra_release`: `# R35 (release), REVISION: 4.1, GCID: …`. Undefined without it. */
export async function bspOf(root: string): Promise<BspVersion | undefined> {
  const path = await resolveInRoot(root, '/etc/nv_tegra_release');
  const text = (await readAtMost(path, 4096))?.toString('latin1') ?? '';
  const [, branch, revision] = /^# R(\d+) \(\w+\), REVISION: (\d+\.\d+)/.exec(text) ?? [];
  if (branch === undefined || revision === undefined) return undefined;
  return { branch: Number(branch), text: `${branch}.${revision}` };
}

/**
 * A release for another firmware may not start, and firmware is not updated here. A release that does not tell what it
 * was made for is taken. Errors: BootError `release_refused`.
 */
export async function checkBsp(root: string, firmware: string): Promise<void> {
  const release = await bspOf(root);
  if (release === undefined || release.text === firmware) return;
  const runs =
    firmware === '' || firmware.startsWith('0.') ? 'a firmware that does not tell its version' : firmware;
  throw new BootError(
    'release_refused',
    `the release was built for Jetson Linux ${release.text}, and this ECU has ${runs}; install a release for this ` +
      'firmware, or update the firmware of both slots first',
  );
}
