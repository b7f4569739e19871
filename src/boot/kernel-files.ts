import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from './boot-error.ts';

/** A kernel of a release, with the initrd that was made for it. */
export interface KernelFiles {
  /** What `uname -r` will say. */
  readonly version: string;
  readonly kernel: string;
  readonly initrd: string;
}

/**
 * The newest kernel in a release's /boot for which there is an initrd: the one that its package manager would boot.
 * Symbolic links (`/boot/vmlinuz`) are not looked at. Errors: BootError `switch_failed` when there is none.
 */
export async function newestKernel(root: string): Promise<KernelFiles> {
  const directory = join(root, 'boot');
  const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
  const files = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name));
  const found = [...files].flatMap((name): KernelFiles[] => {
    const version = /^vmlinu[xz]-(.+)$/.exec(name)?.[1];
    if (version === undefined) return [];
    const initrd = [`initrd.img-${version}`, `initramfs-${version}.img`].find((one) => files.has(one));
    if (initrd === undefined) return [];
    return [{ version, kernel: join(directory, name), initrd: join(directory, initrd) }];
  });
  const [newest] = found.sort((a, b) => compareVersions(b.version, a.version));
  if (newest !== undefined) return newest;
  throw new BootError(
    'switch_failed',
    'the release cannot be booted: its /boot has no vmlinuz-VERSION with an initrd.img-VERSION; rebuild the image',
  );
}

/** As `linux-version compare` of Debian orders them: by runs of digits, and a release candidate before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [runs(a), runs(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x = '', y = ''] = [left[at], right[at]];
    const numbers = /^\d+$/.test(x) && /^\d+$/.test(y);
    const order = numbers ? Number(x) - Number(y) : rank(x) - rank(y) || (x < y ? -1 : Number(x > y));
    if (order !== 0) return order;
  }
  return 0;
}

function runs(version: string): readonly string[] {
  return version.match(/\d+|[a-z]+/gi) ?? [];
}

/** A candidate comes before the end of the version, a word after it, a number after a word. */
function rank(run: string): number {
  if (run === 'rc' || run === 'trunk') return 0;
  if (run === '') return 1;
  return /^\d/.test(run) ? 3 : 2;
}
