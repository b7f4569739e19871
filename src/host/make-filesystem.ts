import type { BlockDevice } from './block-device.ts';
import { CommandError, runCommand } from './command.ts';
import type { Ext4Shape } from './ext4-shape.ts';
import { shapeArguments } from './ext4-shape.ts';

/** File systems that a slot may have. */
export const slotFilesystems = ['ext4', 'xfs', 'btrfs'] as const;
export type SlotFilesystem = (typeof slotFilesystems)[number];

export function isSlotFilesystem(type: string | undefined): type is SlotFilesystem {
  return slotFilesystems.some((known) => known === type);
}

export type FilesystemCheck =
  | { readonly clean: true }
  /** `problem` is for people: what the checker said last. */
  | { readonly clean: false; readonly problem: string };

/** A large, slow disk is read once. */
const checkTimeoutMs = 30 * 60 * 1000;
const makeTimeoutMs = 10 * 60 * 1000;

const packages: Readonly<Record<SlotFilesystem, string>> = {
  ext4: 'e2fsprogs',
  xfs: 'xfsprogs',
  btrfs: 'btrfs-progs',
};

/** None of these writes: a file system that was not unmounted is to be mounted and unmounted once before. */
function checker(type: SlotFilesystem, node: string): [string, ...string[]] {
  switch (type) {
    case 'ext4':
      return ['e2fsck', '-f', '-n', node];
    case 'xfs':
      return ['xfs_repair', '-n', node];
    case 'btrfs':
      return ['btrfs', 'check', '--readonly', node];
  }
}

/**
 * Whether the unmounted file system of a device is free of errors. Reads only.
 * Errors: CommandError, whose message names the Debian package of a missing tool.
 */
export async function checkFilesystem(device: BlockDevice, signal: AbortSignal): Promise<FilesystemCheck> {
  const type = device.filesystem?.type;
  if (!isSlotFilesystem(type)) {
    return { clean: false, problem: type === undefined ? 'no file system' : `file system ${type}` };
  }
  const argv = checker(type, device.path);
  const { exitCode, stdout, stderr } = await tool(type, argv, checkTimeoutMs, signal);
  if (exitCode === 0) return { clean: true };
  const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? '';
  return { clean: false, problem: `${argv[0]} ended with ${exitCode ?? 'a signal'}: ${said}` };
}

export interface NewFilesystem {
  readonly type: SlotFilesystem;
  /** Empty for one that is made up. */
  readonly uuid: string;
  readonly label: string;
  /** What ext4 is made like; as mkfs.ext4 does by itself when undefined. */
  readonly shape?: Ext4Shape | undefined;
}

/** The longest label, in bytes. @see mke2fs(8), mkfs.xfs(8), mkfs.btrfs(8) */
const labelBytes: Readonly<Record<SlotFilesystem, number>> = { ext4: 16, xfs: 12, btrfs: 255 };

/**
 * Makes a new, empty file system with this UUID and label on a device, or in a file of the size of one. The device must
 * not be mounted. Errors: CommandError, whose message names the Debian package of a missing tool.
 */
export async function makeFilesystem(
  node: string,
  filesystem: NewFilesystem,
  signal: AbortSignal,
): Promise<void> {
  const { type, label, shape } = filesystem;
  if (Buffer.byteLength(label) > labelBytes[type]) {
    const why = `label ${label} is too long for ${type}, which takes ${labelBytes[type]} bytes`;
    throw new CommandError('failed', why, '');
  }
  // mkfs.btrfs takes the UUID that it is to keep for a second file system with the same one.
  if (type === 'btrfs') {
    await runCommand({ argv: ['wipefs', '-q', '-a', node], timeoutMs: makeTimeoutMs }, signal);
  }
  const argv = maker(node, filesystem);
  const { exitCode, stderr } = await tool(type, argv, makeTimeoutMs, signal);
  if (exitCode === 0) return;
  // A feature that this mkfs does not know: its own way is better than none.
  if (shape !== undefined) return makeFilesystem(node, { ...filesystem, shape: undefined }, signal);
  throw new CommandError('failed', `${argv[0]} failed on ${node}: ${lastLine(stderr)}`, stderr);
}

function maker(node: string, { type, uuid, label, shape }: NewFilesystem): [string, ...string[]] {
  const labelled = label === '' ? [] : ['-L', label];
  const named = uuid === '' ? [] : ['-U', uuid];
  switch (type) {
    case 'ext4':
      return [
        'mkfs.ext4',
        '-q',
        '-F',
        ...(shape === undefined ? [] : shapeArguments(shape)),
        ...named,
        ...labelled,
        node,
      ];
    case 'xfs':
      return ['mkfs.xfs', '-q', '-f', ...(uuid === '' ? [] : ['-m', `uuid=${uuid}`]), ...labelled, node];
    case 'btrfs':
      return ['mkfs.btrfs', '-q', '-f', ...named, ...labelled, node];
  }
}

async function tool(
  type: SlotFilesystem,
  argv: readonly [string, ...string[]],
  timeoutMs: number,
  signal: AbortSignal,
): ReturnType<typeof runCommand> {
  try {
    return await runCommand({ argv, timeoutMs, env: { LC_ALL: 'C' } }, signal);
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== 'not_started') throw error;
    const message = `${argv[0]} is missing: install the Debian package ${packages[type]}`;
    throw new CommandError('not_started', message, '', { cause: error });
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
