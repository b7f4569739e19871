import { copyFile, mkdir, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './tools.ts';

export type Firmware = 'bios' | 'efi';

const mebibyte = 1 << 20;

interface Partition {
  readonly name: string;
  readonly sizeMib: number;
  /** As sfdisk calls it. */
  readonly type: string;
  readonly tree?: string;
}

export interface DiskContents {
  /** "/" of the release in slot_a. */
  readonly root: string;
  /** What lies in the boot partition besides GRUB. */
  readonly boot: string;
}

/** Partitions begin where GRUB leaves off, at 1 MiB, and lie one behind the other. */
function layout(firmware: Firmware, { root, boot }: DiskContents): readonly Partition[] {
  const linux = firmware === 'efi' ? '0FC63DAF-8483-4772-8E79-3D69D8477DE4' : '83';
  return [
    ...(firmware === 'efi'
      ? [{ name: 'esp', sizeMib: 24, type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B' }]
      : []),
    { name: 'ota-boot', sizeMib: 200, type: linux, tree: boot },
    { name: 'slot_a', sizeMib: 900, type: linux, tree: root },
    { name: 'slot_b', sizeMib: 900, type: linux },
  ];
}

/**
 * Writes a disk that starts by itself, without mounting anything and without starting it: a partition table (GPT for
 * EFI, MBR for BIOS), GRUB, a boot partition and two slots of which the first holds a release.
 */
export async function writeDisk(path: string, firmware: Firmware, contents: DiskContents): Promise<void> {
  const partitions = layout(firmware, contents);
  const scratch = `${path}.${process.pid}`;
  await mkdir(scratch, { recursive: true });
  const disk = join(scratch, 'disk');
  try {
    const whole = partitions.reduce((sum, { sizeMib }) => sum + sizeMib, 2);
    await writeFile(disk, '');
    await truncate(disk, whole * mebibyte);
    await writePartitionTable(disk, firmware, partitions, scratch);
    let startMib = 1;
    for (const partition of partitions) {
      if (partition.name === 'esp') await writeEsp(disk, startMib, partition.sizeMib, scratch);
      else await writeExt4(disk, startMib, partition);
      startMib += partition.sizeMib;
    }
    if (firmware === 'bios') await writeBootCode(disk, scratch);
    await rename(disk, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function writePartitionTable(
  disk: string,
  firmware: Firmware,
  partitions: readonly Partition[],
  scratch: string,
): Promise<void> {
  let start = 1;
  const lines = partitions.map(({ name, sizeMib, type }) => {
    const line = `start=${start}MiB, size=${sizeMib}MiB, type=${type}${firmware === 'efi' ? `, name=${name}` : ''}`;
    start += sizeMib;
    return line;
  });
  const script = join(scratch, 'partitions');
  await writeFile(script, [`label: ${firmware === 'efi' ? 'gpt' : 'dos'}`, ...lines, ''].join('\n'));
  await run('sh', ['-c', 'sfdisk --quiet --no-reread --no-tell-kernel "$1" < "$2"', 'sh', disk, script]);
}

/** GRUB 2.06 reads no file system with a checksum seed or an orphan file, and those are defaults of newer tools. */
async function writeExt4(disk: string, startMib: number, { name, sizeMib, tree }: Partition): Promise<void> {
  await run(
    'mkfs.ext4',
    [
      '-q',
      '-F',
      '-L',
      name,
      '-O',
      '^metadata_csum_seed,^orphan_file',
      '-E',
      `offset=${startMib * mebibyte},nodiscard`,
      ...(tree === undefined ? [] : ['-d', tree]),
      disk,
      `${sizeMib * 1024}k`,
    ].filter((arg) => arg !== ''),
  );
}

const coreModules = [
  'normal',
  'linux',
  'ext2',
  'part_gpt',
  'part_msdos',
  'search',
  'search_label',
  'search_fs_uuid',
  'configfile',
  'loadenv',
  'test',
  'echo',
  'serial',
  'terminal',
  'reboot',
  'halt',
  'sleep',
  'minicmd',
  'gzio',
  'all_video',
];

/** Finds its directory by the label of the boot partition, wherever the disk is plugged in. */
const earlyConfig = 'search --no-floppy --label ota-boot --set=root\nset prefix=($root)/grub\n';

async function writeBootCode(disk: string, scratch: string): Promise<void> {
  const platform = '/usr/lib/grub/i386-pc';
  const [core, early] = [join(scratch, 'core.img'), join(scratch, 'early.cfg')];
  await writeFile(early, earlyConfig);
  await run('grub-mkimage', [
    '-O',
    'i386-pc',
    '-d',
    platform,
    '-p',
    '/grub',
    '-c',
    early,
    '-o',
    core,
    'biosdisk',
    ...coreModules,
  ]);
  // grub-mkimage makes a core that expects itself from the second sector on, and boot.img looks for it there.
  const boot = await readFile(join(platform, 'boot.img'));
  await using file = await open(disk, 'r+');
  // The rest of the first sector is the partition table.
  await file.write(boot.subarray(0, 440), 0, 440, 0);
  const image = await readFile(core);
  if (image.length > mebibyte - 512) throw new Error('GRUB does not fit before the first partition');
  await file.write(image, 0, image.length, 512);
}

async function writeEsp(disk: string, startMib: number, sizeMib: number, scratch: string): Promise<void> {
  const platform = '/usr/lib/grub/x86_64-efi';
  const [loader, early, esp] = [
    join(scratch, 'BOOTX64.EFI'),
    join(scratch, 'early.cfg'),
    join(scratch, 'esp'),
  ];
  await writeFile(early, earlyConfig);
  await run('grub-mkimage', [
    '-O',
    'x86_64-efi',
    '-d',
    platform,
    '-p',
    '/grub',
    '-c',
    early,
    '-o',
    loader,
    ...coreModules,
    'efi_gop',
  ]);
  await writeFile(esp, '');
  await truncate(esp, sizeMib * mebibyte);
  await run('mkfs.vfat', ['-n', 'ESP', esp]);
  await run('mmd', ['-i', esp, '::EFI', '::EFI/BOOT']);
  await run('mcopy', ['-i', esp, loader, '::EFI/BOOT/BOOTX64.EFI']);
  await using file = await open(disk, 'r+');
  const bytes = await readFile(esp);
  await file.write(bytes, 0, bytes.length, startMib * mebibyte);
}

/** Both of the firmware's flash chips, copied so that a machine can write its variables. */
export async function copyEfiVariables(path: string): Promise<void> {
  await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', path);
}
