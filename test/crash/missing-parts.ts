import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';

export type Part = 'root' | 'loop devices' | 'recorder' | 'strace';

const packages: Readonly<Record<string, string>> = {
  'qemu-storage-daemon': 'qemu-utils or qemu-system-common',
  strace: 'strace',
  'mkfs.ext4': 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  sfdisk: 'fdisk',
  partx: 'util-linux',
  losetup: 'mount',
  unshare: 'util-linux',
};

/** Why these proofs cannot run on this machine; false when they can. */
export function missingParts(needed: readonly Part[]): string | false {
  const missing: string[] = [];
  if (needed.includes('root') && process.geteuid?.() !== 0) missing.push('root');
  const programs = ['mkfs.ext4', 'e2fsck', 'sfdisk', 'partx', 'losetup', 'unshare'];
  if (needed.includes('recorder')) programs.push('qemu-storage-daemon');
  if (needed.includes('strace')) programs.push('strace');
  for (const program of programs) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) {
      missing.push(`${program} (Debian package ${packages[program]})`);
    }
  }
  const devices = needed.includes('recorder') ? ['/dev/loop-control', '/dev/fuse'] : ['/dev/loop-control'];
  for (const device of devices) if (!isUsable(device)) missing.push(device);
  return missing.length === 0 ? false : `needs ${missing.join(', ')}`;
}

function isUsable(device: string): boolean {
  if (!existsSync(device)) return false;
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
