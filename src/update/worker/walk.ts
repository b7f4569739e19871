import { type Dirent, lstatSync, readdirSync, type Stats } from 'node:fs';
import { entryKinds, type FileTable } from '#image/file-table.ts';
import { CandidateCollector, type CandidateData } from '#update/candidates.ts';
import { directoryBytes, type Layout, type SpaceNeed } from '#update/layout.ts';

/** Walks the active slot and lists the files that may hold content which the image wants. */
export interface WalkJob {
  readonly kind: 'walk';
  readonly root: string;
}

/** Deepest directory that is looked into; deeper ones only cost a download. */
const maxDepth = 256;

export function walkActive(table: FileTable, job: WalkJob): CandidateData {
  const sizes = wantedSizes(table);
  const found = new CandidateCollector(table);
  const device = statOf(job.root)?.dev;
  const visit = (directory: string, depth: number): void => {
    for (const item of listDirectory(job.root + directory)) {
      const path = `${directory}/${item.name}`;
      if (item.isDirectory()) {
        // Other file systems mounted below (proc, sys, data partitions) are not part of the slot.
        if (depth < maxDepth && statOf(job.root + path)?.dev === device) visit(path, depth + 1);
        continue;
      }
      if (!item.isFile()) continue;
      const stats = statOf(job.root + path);
      if (stats === undefined || stats.size === 0) continue;
      const entry = regularAt(table, path);
      const unknown = entry >= 0 && table.resourceSize(table.resource(entry)) < 0;
      if (sizes.has(stats.size) || unknown) {
        found.add({ path, entry, size: stats.size, inode: stats.ino });
      }
    }
  };
  visit('', 0);
  return found.pack();
}

/** Sizes of all contents of the image; files of other sizes need not be read. */
export function wantedSizes(table: FileTable): ReadonlySet<number> {
  return new Set(table.data.sizes);
}

/** The image's regular file at this path, or -1. */
export function regularAt(table: FileTable, path: string): number {
  const entry = table.find(path);
  return entry >= 0 && table.kind(entry) === entryKinds.regular ? entry : -1;
}

/** What a directory holds; nothing when it cannot be read. */
function listDirectory(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** undefined when it is gone or cannot be looked at. */
export function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Adds up what the standby slot takes up already and an update would free or use. */
export interface MeasureJob {
  readonly kind: 'measure';
  readonly work: string;
  readonly layout: Layout;
}

export function measure(
  table: FileTable,
  root: string,
  reserved: readonly string[],
  job: MeasureJob,
): SpaceNeed {
  const wanted = directoryBytes(table, job.layout);
  let bytes = 0;
  let inodes = 0;
  const seen = new Set<number>();
  const visit = (top: string, directory: string): void => {
    for (const item of listDirectory(top + directory)) {
      if (directory === '' && top === root && reserved.includes(item.name)) continue;
      const path = `${directory}/${item.name}`;
      const stats = statOf(top + path);
      if (stats === undefined || (stats.nlink > 1 && !item.isDirectory() && seen.has(stats.ino))) continue;
      if (stats.nlink > 1) seen.add(stats.ino);
      // POSIX leaves the unit of st_blocks open; on Linux it is always 512 bytes.
      const taken = stats.blocks * 512;
      // A directory that stays does not shrink.
      bytes += item.isDirectory() ? Math.min(taken, wanted.get(path) ?? taken) : taken;
      inodes++;
      if (item.isDirectory()) visit(top, path);
    }
  };
  visit(root, '');
  visit(job.work, '');
  return { bytes, inodes };
}
