import type { BlockDevice } from './block-device.ts';
import { runCommand } from './command.ts';

/** What an ext4 file system was made like. A boot loader may not read one that is made in a newer fashion. */
export interface Ext4Shape {
  readonly features: readonly string[];
  readonly blockBytes: number;
  readonly inodeBytes: number;
  readonly bytesPerInode: number;
  /** Of all blocks, kept for root; 0 to 50. */
  readonly reservedPercent: number;
}

const timeoutMs = 60_000;
/** States of a mounted file system, not ways to make one. */
const passing: ReadonlySet<string> = new Set(['needs_recovery', 'orphan_present']);

/** Reads the superblock of an ext4 file system; undefined when there is none that `dumpe2fs` can read. */
export async function readExt4Shape(
  device: BlockDevice,
  signal: AbortSignal,
): Promise<Ext4Shape | undefined> {
  if (device.filesystem?.type !== 'ext4') return undefined;
  const argv = ['dumpe2fs', '-h', device.path] as const;
  const { exitCode, stdout } = await runCommand({ argv, timeoutMs, env: { LC_ALL: 'C' } }, signal);
  if (exitCode !== 0) return undefined;
  const value = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  const [blocks, blockBytes] = [Number(value('Block count')), Number(value('Block size'))];
  const [inodes, inodeBytes] = [Number(value('Inode count')), Number(value('Inode size'))];
  const reserved = Number(value('Reserved block count'));
  const features = value('Filesystem features')
    .split(/\s+/)
    .filter((feature) => /^[a-z0-9_]+$/i.test(feature) && !passing.has(feature));
  const sane = [blocks, blockBytes, inodes, inodeBytes].every((number) => number > 0) && reserved >= 0;
  if (!sane || features.length === 0) return undefined;
  return {
    features,
    blockBytes,
    inodeBytes,
    bytesPerInode: Math.max(blockBytes, Math.floor((blocks * blockBytes) / inodes)),
    // mkfs rounds down.
    reservedPercent: Math.min(50, (100 * (reserved + 0.5)) / blocks),
  };
}

/** Arguments of mkfs.ext4 for another one like it. */
export function shapeArguments(shape: Ext4Shape): string[] {
  return [
    '-O',
    ['none', ...shape.features].join(','),
    '-b',
    `${shape.blockBytes}`,
    '-I',
    `${shape.inodeBytes}`,
    '-i',
    `${shape.bytesPerInode}`,
    '-m',
    shape.reservedPercent.toFixed(8),
  ];
}
