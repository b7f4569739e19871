import { copyFileSync, createWriteStream, linkSync, mkdirSync, renameSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContentStore, StoredContent } from './content-store.ts';
import type { ImageLayout, Inode } from './image-tree.ts';
import { layoutNames } from './layout-names.ts';
import { directoryLine, persistentLine, regularLine, symlinkLine } from './metafile-lines.ts';

/** One name of a regular file, with all that its line tells. */
export interface ImageFile {
  readonly path: string;
  readonly inode: Inode;
  readonly content: StoredContent;
  /** Number of names of the file in the image. */
  readonly nlink: number;
  /** Number of its hard-link group, from 1; undefined for a single name. */
  readonly group: number | undefined;
}

/** Numbers the hard-link groups in the order of the paths, so that real inode numbers leave no trace. */
export function filesOf(layout: ImageLayout): ImageFile[] {
  const names = new Map<Inode, number>();
  for (const { inode } of layout.regulars) names.set(inode, (names.get(inode) ?? 0) + 1);
  const groups = new Map<Inode, number>();
  return layout.regulars.map(({ path, inode }) => {
    if (inode.stored === undefined) throw new Error(`content of ${path} was not stored`);
    const nlink = names.get(inode) ?? 1;
    if (nlink > 1 && !groups.has(inode)) groups.set(inode, groups.size + 1);
    return { path, inode, content: inode.stored, nlink, group: groups.get(inode) };
  });
}

/**
 * Puts every plain file at its path: clients fetch a content by any one of the paths that have it. Equal contents
 * share one inode of the image's file system.
 */
export function placePlainFiles(files: readonly ImageFile[], store: ContentStore, folder: string): void {
  const placed = new Map<StoredContent, string>();
  const made = new Set<string>();
  for (const { path, content } of files) {
    if (content.compressed) continue;
    const target = join(folder, path);
    const parent = dirname(target);
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    const same = placed.get(content);
    if (same === undefined) renameSync(store.locate(content), target);
    else linkOrCopy(same, target);
    placed.set(content, target);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Too many names of one inode, or a file system without hard links.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EMLINK' && code !== 'EPERM' && code !== 'EOPNOTSUPP') throw error;
    copyFileSync(from, to);
  }
}

/** Writes the text files that tell what the image holds. */
export async function writeMetafiles(
  folder: string,
  layout: ImageLayout,
  files: readonly ImageFile[],
  persistents: readonly string[],
): Promise<void> {
  const write = (name: string, lines: Iterable<string>): Promise<void> =>
    pipeline(Readable.from(joined(lines)), createWriteStream(join(folder, name)));
  const { directories, symlinks } = layout;
  await write(
    layoutNames.directories,
    directories.values().map((node) => directoryLine(node.path, node.mode, node.uid, node.gid)),
  );
  await write(
    layoutNames.symlinks,
    symlinks.values().map((node) => symlinkLine(node.path, node.target, node.uid, node.gid)),
  );
  await write(layoutNames.regulars, files.values().map(lineOf));
  await write(layoutNames.persistents, persistents.map(persistentLine));
  await writeFile(join(folder, layoutNames.totalSize), String(totalSize(files)));
}

/** Bytes of all regular files, each name of a hard-linked file counted, as existing generators count. */
export function totalSize(files: readonly ImageFile[]): number {
  return files.reduce((sum, file) => sum + file.content.size, 0);
}

function lineOf({ path, inode, content, nlink, group }: ImageFile): string {
  const { mode, uid, gid } = inode;
  const { sha256, size, compressed } = content;
  return regularLine({ path, mode, uid, gid, nlink, sha256, size, inode: group, compressed });
}

/** Lines with line feeds between them and none at the end, in pieces that fit any string. */
function* joined(lines: Iterable<string>): Generator<string> {
  let piece = '';
  let separator = '';
  for (const line of lines) {
    piece += separator + line;
    separator = '\n';
    if (piece.length < 64 * 1024) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
