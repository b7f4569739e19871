import { entryKinds, type FileTable } from '#image/file-table.ts';

/** What an image takes up on a file system. */
export interface SpaceNeed {
  readonly bytes: number;
  readonly inodes: number;
}

/** Type of a file system as statfs(2) numbers it, and its block size. */
export interface Layout {
  readonly type: number;
  readonly blockBytes: number;
}

/** @see statfs(2) */
const xfs = 0x58465342;
const btrfs = 0x9123683e;

/** How one kind of file system lays out what it is given. */
interface LayoutRules {
  /** Longest symlink target that fits into the inode. */
  readonly inlineTarget: number;
  /** Largest file that takes no block. */
  readonly inlineFile: number;
  /** Bytes that one name adds to its directory. */
  readonly nameBytes: (length: number) => number;
  /** Bytes of names that fit into the inode of their directory; -1 when every directory has a block. */
  readonly inlineNames: number;
  /** Part of a directory of several blocks that is filled when its names came in no order. */
  readonly fill: number;
  /** What an inode takes up that is made as it is needed. */
  readonly inodeBytes: number;
}

/** As ext4 does, which is also the most frugal guess for a file system that is not known. */
const ordinary: LayoutRules = {
  inlineTarget: 59,
  inlineFile: 0,
  nameBytes: (length) => 8 + ((length + 3) & ~3),
  inlineNames: -1,
  fill: 0.72,
  inodeBytes: 0,
};

const rules: ReadonlyMap<number, LayoutRules> = new Map([
  [
    xfs,
    {
      inlineTarget: 300,
      inlineFile: 0,
      // Data entry, and its place in the hash index.
      nameBytes: (length) => 20 + ((length + 7) & ~7),
      inlineNames: 500,
      fill: 0.72,
      inodeBytes: 512,
    },
  ],
  [
    btrfs,
    {
      inlineTarget: 4095,
      inlineFile: 2048,
      // Items of the tree: name from inode, inode from name, and in the order of making.
      nameBytes: (length) => 165 + 3 * length,
      inlineNames: 0,
      fill: 0.72,
      // Inode and extent items, and checksums; all metadata is there twice.
      inodeBytes: 700,
    },
  ],
]);

function rulesOf({ type }: Layout): LayoutRules {
  return rules.get(type) ?? ordinary;
}

/** Blocks and inodes that a file table needs when nothing is shared but hard links. Pure. */
export function spaceNeed(table: FileTable, layout: Layout): SpaceNeed {
  const { blockBytes } = layout;
  const { inlineTarget, inlineFile, inodeBytes } = rulesOf(layout);
  let [bytes, inodes] = [0, 0];
  const groups = new Set<number>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    const group = table.group(entry);
    if (group > 0) {
      if (groups.has(group)) continue;
      groups.add(group);
    }
    inodes++;
    if (table.kind(entry) === entryKinds.symlink) {
      if (Buffer.byteLength(table.target(entry)) > inlineTarget) bytes += blockBytes;
    } else if (table.kind(entry) === entryKinds.regular) {
      const size = Math.max(0, table.resourceSize(table.resource(entry)));
      bytes += size > inlineFile ? Math.ceil(size / blockBytes) * blockBytes : 2 * size;
    }
  }
  for (const size of directoryBytes(table, layout).values()) bytes += size;
  return { bytes: bytes + inodes * inodeBytes, inodes };
}

/** Bytes on disk of every directory below the root, and of what the root has beyond its first block. Pure. */
export function directoryBytes(table: FileTable, layout: Layout): ReadonlyMap<string, number> {
  const { nameBytes, inlineNames, fill } = rulesOf(layout);
  const { type, blockBytes } = layout;
  const names = new Map<string, number>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    const path = table.path(entry);
    const slash = path.lastIndexOf('/');
    const parent = path.slice(0, slash);
    names.set(
      parent,
      (names.get(parent) ?? 0) + nameBytes(Buffer.byteLength(path) - Buffer.byteLength(parent) - 1),
    );
    if (table.kind(entry) === entryKinds.directory && !names.has(path)) names.set(path, 0);
  }
  // Names of the directory itself and its parent, and a checksum.
  const usable = blockBytes - 36;
  for (const [path, bytes] of names) {
    if (type === btrfs) names.set(path, 2 * bytes);
    else if (bytes <= inlineNames) names.set(path, 0);
    else {
      const blocks = bytes <= usable ? 1 : 1 + Math.ceil(bytes / (fill * usable));
      names.set(path, (path === '' ? blocks - 1 : blocks) * blockBytes);
    }
  }
  return names;
}
