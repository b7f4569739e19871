import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SlotId } from '#boot/slots.ts';
import { slotIds } from '#boot/slots.ts';
import { missingPrograms } from './missing-programs.ts';

export interface GrubDiskOptions {
  /** `gpt` has an EFI system partition as number 1, which no test looks into. */
  readonly table?: 'dos' | 'gpt';
  readonly booted?: SlotId;
  readonly bootMib?: number;
  readonly bootFilesystem?: 'ext4' | 'ext2' | 'xfs' | 'btrfs';
}

/** A disk as GRUB boots it, on a loop device, with the running slot and the boot partition mounted. */
export interface GrubDisk {
  readonly device: string;
  /** "/" of the running slot. */
  readonly root: string;
  readonly boot: string;
  /** Device node of a partition, by its role. */
  readonly partition: (role: 'boot' | SlotId) => string;
  /** A file of the boot partition as a boot loader sees it: as it lies on the disk, without what is in the journal only. */
  readonly onDisk: (path: string) => string;
  /** The shell command that writes it out. */
  readonly onDiskCommand: (path: string) => string;
  /** Starts the machine anew: takes the choice for one boot away, as GRUB does, and mounts what is booted. */
  readonly restart: () => Promise<SlotId>;
  readonly uuid: (role: 'boot' | SlotId) => string;
  /** Runs a program that has to succeed. */
  readonly run: (...argv: readonly [string, ...string[]]) => string;
}

const mebibyte = 1 << 20;
const espType = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';

/** Why disks cannot be laid out here; false when they can. */
export function noGrubDisk(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root, for loop devices';
  if (!existsSync('/dev/loop-control')) return 'needs loop devices';
  return missingPrograms('losetup', 'sfdisk', 'partx', 'mkfs.ext4', 'blkid', 'fsfreeze', 'debugfs');
}

/** The disk is gone after the test. */
export async function grubDisk(t: TestContext, options: GrubDiskOptions = {}): Promise<GrubDisk> {
  const { table = 'dos', booted = 'slot_a', bootMib = 48, bootFilesystem = 'ext4' } = options;
  // In memory: a disk below it would make every flush slow.
  const home = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = await mkdtemp(join(home, 'ota-grub-'));
  const undo: (() => void)[] = [];
  t.after(async () => {
    try {
      for (const step of undo.toReversed()) step();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
  const image = join(directory, 'disk');
  const sizes = [...(table === 'gpt' ? [8] : []), bootFilesystem === 'xfs' ? 320 : bootMib, 32, 32];
  const whole = sizes.reduce((sum, size) => sum + size, 4) * mebibyte;
  await using file = await open(image, 'w');
  await file.truncate(whole);
  const script = join(directory, 'partitions');
  const lines = sizes.map(
    (size, at) => `size=${size}MiB${table === 'gpt' && at === 0 ? `, type=${espType}` : ''}`,
  );
  await writeFile(script, [`label: ${table}`, ...lines, ''].join('\n'));
  run('sh', '-c', 'sfdisk --quiet --no-reread --no-tell-kernel "$1" < "$2"', 'sh', image, script);

  const device = attach(image, undo);
  const first = table === 'gpt' ? 2 : 1;
  const roles = ['boot', 'slot_a', 'slot_b'] as const;
  const partition = (role: (typeof roles)[number]): string => `${device}p${first + roles.indexOf(role)}`;
  for (const role of roles) makeFilesystem(role === 'boot' ? bootFilesystem : 'ext4', partition(role));

  const root = join(directory, 'root');
  await mkdir(root);
  const boot = join(root, 'boot');
  undo.push(() => spawnSync('umount', ['--recursive', root]));
  const mount = async (slot: SlotId): Promise<void> => {
    run('mount', partition(slot), root);
    await mkdir(boot, { recursive: true });
    run('mount', partition('boot'), boot);
  };
  await mount(booted);
  await mkdir(join(boot, 'grub'));
  const restart = async (): Promise<SlotId> => {
    const slot = await takeChoice(join(boot, 'grub/grubenv'));
    run('umount', '--recursive', root);
    await mount(slot);
    return slot;
  };
  const uuid = (role: (typeof roles)[number]): string =>
    run('blkid', '-p', '-o', 'value', '-s', 'UUID', partition(role)).trim();
  const sector = run('partx', '--show', '--noheadings', '--output', 'START', '--nr', String(first), image);
  // The file behind the loop device: reading the device would make the kernel write what it holds back.
  const onDiskCommand = (path: string): string =>
    `debugfs -R 'cat ${path}' '${image}?offset=${Number(sector) * 512}'`;
  const onDisk = (path: string): string => run('sh', '-c', onDiskCommand(path));
  return { device, root, boot, partition, onDisk, onDiskCommand, restart, uuid, run };
}

/**
 * Shows a disk by a loop device with its partitions. Devices may have partitions left of the disk that they had before,
 * and not give them up while the mount namespace of another test has them mounted: then another device is taken.
 */
function attach(image: string, undo: (() => void)[]): string {
  for (let attempt = 1; ; attempt += 1) {
    const { status, stdout } = spawnSync('losetup', ['--find', '--show', image], { encoding: 'utf8' });
    const device = stdout.trim();
    if (status === 0) {
      undo.push(() => spawnSync('losetup', ['--detach', device]));
      spawnSync('partx', ['--delete', device]);
      if (spawnSync('partx', ['--add', device]).status === 0) {
        undo.push(() => spawnSync('partx', ['--delete', device]));
        return device;
      }
    }
    if (attempt === 10) throw new Error(`no loop device shows the partitions of ${image}`);
  }
}

/** GRUB writes the block in place. */
async function takeChoice(path: string): Promise<SlotId> {
  const before = await readFile(path, 'latin1');
  const variable = (name: string): SlotId | undefined =>
    slotIds.find((slot) => before.includes(`\n${name}=ota-${slot}\n`));
  await using file = await open(path, 'r+');
  await file.write(
    before.replace(/\nnext_entry=.*\n/, '\nnext_entry=\n').padEnd(before.length, '#'),
    0,
    'latin1',
  );
  return variable('next_entry') ?? variable('saved_entry') ?? 'slot_a';
}

function makeFilesystem(type: string, node: string): void {
  if (type === 'xfs') run('mkfs.xfs', '-q', '-f', node);
  else if (type === 'btrfs') run('mkfs.btrfs', '-q', '-f', '--mixed', node);
  else run(`mkfs.${type}`, '-q', '-F', '-E', 'lazy_itable_init=0', node);
}

function run(file: string, ...args: readonly string[]): string {
  // Where an ordinary PATH does not have them.
  const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
  return execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe', env: { ...process.env, PATH: path } });
}
