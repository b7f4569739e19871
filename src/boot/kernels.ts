import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from './boot-error.ts';

/** A kernel and what is loaded with it. Names of files in one directory. */
export interface Kernel {
  readonly version: string;
  readonly kernel: string;
  /** In the order in which they are loaded: early microcode first, the initrd of this kernel last. */
  readonly initrds: readonly [string, ...string[]];
}

/** The names that grub-mkconfig knows for archives which are loaded before the initrd. */
const earlyInitrds = [
  'intel-uc.img',
  'intel-ucode.img',
  'amd-uc.img',
  'amd-ucode.img',
  'early_ucode.cpio',
  'microcode.cpio',
];

/** What package managers and people leave beside a kernel. */
const leftOver = /\.(?:old|bak|new|tmp|signed|dpkg-\w+|rpm\w+)$|~$/;

/** Kernels with a matching initrd in a directory such as `/boot`, newest first. Errors: those of the file system. */
export async function kernelsIn(directory: string): Promise<readonly Kernel[]> {
  const files = new Set<string>();
  for (const item of await readdir(directory, { withFileTypes: true })) {
    // A file without content is what a cut-off copy leaves.
    if (item.isFile() && (await lstat(join(directory, item.name))).size > 0) files.add(item.name);
  }
  const early = earlyInitrds.filter((name) => files.has(name));
  const found: Kernel[] = [];
  for (const kernel of files) {
    if (!kernel.startsWith('vmlinuz-') || leftOver.test(kernel)) continue;
    const version = kernel.slice('vmlinuz-'.length);
    const initrd = [`initrd.img-${version}`, `initrd-${version}`, `initramfs-${version}.img`].find((name) =>
      files.has(name),
    );
    if (initrd !== undefined) found.push({ version, kernel, initrds: asInitrds(early, initrd) });
  }
  return found.sort((a, b) => compareKernelVersions(b.version, a.version));
}

/**
 * The kernel that a release is booted with: the newest with a matching initrd.
 * Errors: BootError `prepare_failed` when there is none.
 */
export async function newestKernel(directory: string): Promise<Kernel> {
  const [newest] = await kernelsIn(directory).catch((error: unknown) => {
    throw new BootError('prepare_failed', `the release has no kernel: ${directory} could not be read`, {
      cause: error,
    });
  });
  if (newest === undefined) {
    throw new BootError(
      'prepare_failed',
      `the release has no kernel: ${directory} has no vmlinuz-VERSION with a matching initrd.img-VERSION; ` +
        'build the image with a kernel and its initrd',
    );
  }
  return newest;
}

/** Below 0 when `a` is the older one: numbers by value, `rc` before the release that it leads to. */
export function compareKernelVersions(a: string, b: string): number {
  const [left, right] = [piecesOf(a), piecesOf(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [one, other] = [left[index] ?? '', right[index] ?? ''];
    if (one === other) continue;
    if (isCandidate(one) !== isCandidate(other)) return isCandidate(one) ? -1 : 1;
    const [oneNumber, otherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (oneNumber && otherNumber && BigInt(one) !== BigInt(other))
      return BigInt(one) < BigInt(other) ? -1 : 1;
    if (oneNumber !== otherNumber) return oneNumber ? 1 : -1;
    if (!oneNumber) return one < other ? -1 : 1;
  }
  return 0;
}

function piecesOf(version: string): readonly string[] {
  return version.match(/\d+|[a-zA-Z]+/g) ?? [];
}

function isCandidate(piece: string): boolean {
  return piece === 'rc';
}

function asInitrds(early: readonly string[], initrd: string): readonly [string, ...string[]] {
  const [first, ...rest] = [...early, initrd];
  return [first ?? initrd, ...rest];
}
