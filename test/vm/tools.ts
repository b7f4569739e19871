import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program to its end and gives what it wrote to stdout. Its last words are in the error when it fails. */
export async function run(program: string, args: readonly string[], limitMs = 120_000): Promise<string> {
  try {
    const { stdout } = await execute(program, args, {
      timeout: limitMs,
      maxBuffer: 64 << 20,
      encoding: 'utf8',
    });
    return stdout;
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    throw new Error(`${program} failed: ${stderr.slice(-2000)}`, { cause: error });
  }
}

/** Programs and files, each with the Debian package that has it. */
const programs = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  'grub-mkimage': 'grub-common',
  sfdisk: 'fdisk',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.vfat': 'dosfstools',
  mcopy: 'mtools',
  'apt-cache': 'apt',
  mksquashfs: 'squashfs-tools',
};
const files = {
  '/usr/lib/grub/i386-pc/boot.img': 'grub-pc-bin',
  '/usr/lib/grub/x86_64-efi/moddep.lst': 'grub-efi-amd64-bin',
  '/usr/share/OVMF/OVMF_CODE_4M.fd': 'ovmf',
};

/** What these machines need and this one has not, in words; undefined when nothing is missing. */
export function missingTools(): string | undefined {
  if (process.arch !== 'x64') return 'the virtual machines are x86-64 and so is what they are built with';
  if (process.getuid?.() !== 0) return 'needs root: a Debian is installed into a directory';
  const missing = new Set<string>();
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (!onPath(program)) missing.add(debianPackage);
  }
  for (const [file, debianPackage] of Object.entries(files)) {
    if (!isThere(file, constants.R_OK)) missing.add(debianPackage);
  }
  return missing.size === 0 ? undefined : `needs Debian packages: ${[...missing].join(' ')}`;
}

function onPath(program: string): boolean {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => isThere(join(directory, program), constants.X_OK));
}

function isThere(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Value of a field of this machine's os-release, such as the code name that its package archive is known by. */
export function osRelease(field: string): string {
  const line = readFileSync('/etc/os-release', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${field}=`));
  return line?.slice(field.length + 1).replaceAll('"', '') ?? '';
}
