import { access, constants, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CommandError, runCommand } from './command.ts';

/** A partition, or a whole disk, as it is now. */
export interface BlockDevice {
  /** Device node, such as `/dev/vda3`. Never kept over a restart: names change. */
  readonly path: string;
  /** Device node of the disk it is a partition of; its own path for a whole disk. */
  readonly disk: string;
  /** Number in the partition table; undefined for a whole disk. */
  readonly partition: number | undefined;
  readonly sizeBytes: number;
  /** `major:minor`, as in mountinfo. */
  readonly number: string;
  readonly readOnly: boolean;
  /** Undefined where no file system is recognised. */
  readonly filesystem: { readonly type: string; readonly uuid: string; readonly label: string } | undefined;
  /**
   * What is recognised where there is no file system: `swap`, `crypto_LUKS`, `LVM2_member`, `linux_raid_member`, a
   * partition table. Undefined where nothing is.
   */
  readonly otherContent: string | undefined;
  /** Empty where there is none. Lower case. */
  readonly partUuid: string;
  readonly partLabel: string;
  /** Type of the partition: a GUID in lower case for GPT, `0x83` for MBR. */
  readonly partType: string;
}

const probeTimeoutMs = 30_000;

/**
 * Describes the block device behind a device node, by reading the device itself (`blkid -p`), not udev's memory of it.
 * Errors: CommandError when `blkid` cannot be run; those of the file system when there is no such device.
 */
export async function describeDevice(node: string, signal: AbortSignal): Promise<BlockDevice> {
  const path = await realpath(node);
  const { rdev, mode } = await stat(path);
  if ((mode & 0o170000) !== 0o060000) throw new CommandError('failed', `${node} is not a block device`, '');
  const number = `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
  const sys = await realpath(`/sys/dev/block/${number}`);
  const text = async (name: string): Promise<string> =>
    (await readFile(join(sys, name), 'utf8').catch(() => '')).trim();
  const partition = await text('partition');
  const disk = partition === '' ? path : join('/dev', basename(dirname(sys)));
  const tags = await tagsOf(path, number, signal);
  const type = tags.get('TYPE');
  const isFilesystem = type !== undefined && tags.get('USAGE') === 'filesystem';
  const table = tags.get('PTTYPE');
  return {
    path,
    disk,
    partition: partition === '' ? undefined : Number(partition),
    sizeBytes: Number(await text('size')) * 512,
    number,
    readOnly: (await text('ro')) === '1',
    filesystem: isFilesystem
      ? { type, uuid: tags.get('UUID') ?? '', label: tags.get('LABEL') ?? '' }
      : undefined,
    otherContent: isFilesystem ? undefined : (type ?? (table && `a partition table (${table})`)),
    partUuid: (tags.get('PART_ENTRY_UUID') ?? '').toLowerCase(),
    partLabel: tags.get('PART_ENTRY_NAME') ?? '',
    partType: (tags.get('PART_ENTRY_TYPE') ?? '').toLowerCase(),
  };
}

/** What only root may read is taken from udev's memory by others, so that they can look. */
async function tagsOf(
  path: string,
  number: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const isReadable = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  return isReadable ? probe(path, signal) : remembered(number);
}

/** The same tags as `probe` gives; none where udev is not used. @see udev(7), property names of its builtin blkid */
async function remembered(number: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(`/run/udev/data/b${number}`, 'utf8').catch(() => '');
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const [, kind, name, value] = /^E:ID_(FS|PART)_(\w+)=(.*)$/.exec(line) ?? [];
    if (kind === undefined || name === undefined || value === undefined) return [];
    const plain = value.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return [[kind === 'FS' ? name : `PART_${name}`, plain]];
  });
  return new Map(pairs);
}

/** Tags of a device; none when nothing is recognised on it. */
async function probe(path: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const argv = ['blkid', '-p', '-o', 'export', path] as const;
  const { exitCode, stdout, stderr } = await runCommand(
    { argv: [...argv], timeoutMs: probeTimeoutMs },
    signal,
  );
  // 2: nothing found.
  if (exitCode === 2) return new Map();
  if (exitCode !== 0) {
    const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
    throw new CommandError('failed', `blkid could not tell what is on ${path}${said}`, stderr);
  }
  const pairs = stdout.split('\n').flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    // blkid escapes what a shell would take apart.
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).replace(/\\(.)/g, '$1')]];
  });
  return new Map(pairs);
}

/** The partitions of a disk in the order of their numbers; none for a disk without a partition table. */
export async function partitionsOf(disk: string, signal: AbortSignal): Promise<readonly BlockDevice[]> {
  const name = basename(await realpath(disk));
  const names = await readdir(`/sys/class/block/${name}`).catch(() => []);
  const found: BlockDevice[] = [];
  for (const child of names) {
    const isPartition = await stat(`/sys/class/block/${name}/${child}/partition`).then(
      () => true,
      () => false,
    );
    if (isPartition) found.push(await describeDevice(`/dev/${child}`, signal));
  }
  return found.sort((a, b) => (a.partition ?? 0) - (b.partition ?? 0));
}

/** Every block device of the machine that holds data: partitions and disks without them. */
export async function allDevices(signal: AbortSignal): Promise<readonly BlockDevice[]> {
  const found: BlockDevice[] = [];
  for (const name of (await readdir('/sys/class/block')).sort()) {
    const size = await readFile(`/sys/class/block/${name}/size`, 'utf8').catch(() => '0');
    // Memory disks and empty loop devices.
    if (Number(size) === 0 || name.startsWith('ram') || name.startsWith('zram')) continue;
    const device = await describeDevice(`/dev/${name}`, signal).catch(() => undefined);
    if (device !== undefined) found.push(device);
  }
  return found;
}

/** One mount of a mount namespace. */
export interface Mount {
  /** `major:minor` of the file system's device. */
  readonly device: string;
  readonly mountPoint: string;
  /** The directory of the file system that is mounted there, `/` unless it is a bind mount. */
  readonly root: string;
  readonly type: string;
  readonly options: readonly string[];
  /** As it was given to mount(2): for btrfs, whose `device` is made up, the only way to its device. */
  readonly source: string;
}

/** The mounts that a process sees. @see proc_pid_mountinfo(5) */
export async function readMounts(pid: number | 'self' = 'self'): Promise<readonly Mount[]> {
  const lines = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const fields = line.split(' ');
    const dash = fields.indexOf('-');
    const unescape = (field = ''): string =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return {
      device: fields[2] ?? '',
      root: unescape(fields[3]),
      mountPoint: unescape(fields[4]),
      options: (fields[5] ?? '').split(','),
      type: fields[dash + 1] ?? '',
      source: unescape(fields[dash + 2]),
    };
  });
}

/** The mount that a directory lies on, as this process sees it. Errors: those of the file system. */
export async function mountHolding(directory: string): Promise<Mount | undefined> {
  const real = await realpath(directory);
  return (
    (await readMounts())
      .filter(
        ({ mountPoint }) => mountPoint === '/' || real === mountPoint || real.startsWith(`${mountPoint}/`),
      )
      // The last of the longest: later mounts cover earlier ones.
      .reduce<Mount | undefined>(
        (best, at) => (at.mountPoint.length >= (best?.mountPoint.length ?? 0) ? at : best),
        undefined,
      )
  );
}

/**
 * The device of the file system that a directory lies on; undefined for one that lies on none (overlay, tmpfs, NFS).
 * Errors: those of the file system.
 */
export async function deviceHolding(
  directory: string,
  signal: AbortSignal,
): Promise<BlockDevice | undefined> {
  const holding = await mountHolding(directory);
  if (holding === undefined) return undefined;
  const link = await readlink(`/sys/dev/block/${holding.device}`).catch(() => undefined);
  const node = link === undefined ? holding.source : `/dev/${basename(link)}`;
  if (!node.startsWith('/dev/')) return undefined;
  return describeDevice(node, signal).catch(() => undefined);
}

/** `PARTLABEL=name`, `LABEL=name`, `UUID=id`, `PARTUUID=id`, or a path of a device node. */
export type DeviceSpec = string;

/** Devices that a specification names: more than one is a mistake of whoever laid out the disks. */
export function matchingDevices(spec: DeviceSpec, devices: readonly BlockDevice[]): readonly BlockDevice[] {
  const at = spec.indexOf('=');
  const value = spec.slice(at + 1);
  switch (spec.slice(0, Math.max(0, at))) {
    case 'PARTLABEL':
      return devices.filter(({ partLabel }) => partLabel === value);
    case 'LABEL':
      return devices.filter(({ filesystem }) => filesystem?.label === value);
    case 'UUID':
      return devices.filter(({ filesystem }) => filesystem?.uuid.toLowerCase() === value.toLowerCase());
    case 'PARTUUID':
      return devices.filter(({ partUuid }) => partUuid === value.toLowerCase());
    default:
      return devices.filter(({ path }) => path === spec);
  }
}
