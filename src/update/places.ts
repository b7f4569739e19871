import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';

/** A path; as bytes where a name in it may be no UTF-8. */
export type Place = string | Buffer;

/** What is carried: sockets, pipes and devices are made anew by the system. */
export function isCarried(stats: Stats): boolean {
  return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink();
}

/** The name in a directory. */
export function within(directory: Place, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(directory), Buffer.from('/'), name]);
}

/** The first name above `at` of a slot that is there and is no directory, as the slot sees it. */
export async function fileAbove(root: string, at: string): Promise<string | undefined> {
  const names = at.split('/');
  for (let depth = 1; depth < names.length; depth++) {
    const path = names.slice(0, depth).join('/');
    const stats = await look(`${root}/${path}`);
    if (stats === undefined) return undefined;
    if (!stats.isDirectory()) return `/${path}`;
  }
  return undefined;
}

/** Bytes that these and all below them take up, 512 at a time; 0 for what is not there or would not be carried. */
export async function bytesOf(places: readonly Place[]): Promise<number> {
  let bytes = 0;
  const seen = new Set<string>();
  const add = async (place: Place): Promise<void> => {
    const stats = await look(place);
    if (stats === undefined || !isCarried(stats)) return;
    const inode = `${stats.dev}:${stats.ino}`;
    if (stats.isDirectory()) for (const name of await namesIn(place)) await add(within(place, name));
    else if (stats.nlink > 1 && seen.has(inode)) return;
    else if (stats.nlink > 1) seen.add(inode);
    bytes += stats.blocks * 512;
  };
  for (const place of places) await add(place);
  return bytes;
}

/** What is there, a dangling symlink too; undefined when nothing. Errors: those of the file system. */
export async function look(path: Place): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The names in a directory; none when it has vanished. Errors: those of the file system. */
export async function namesIn(directory: Place): Promise<Buffer[]> {
  try {
    return await readdir(directory, 'buffer');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Whether there is anything by that name, a dangling symlink too. Errors: those of the file system. */
export async function isThere(path: Place): Promise<boolean> {
  return (await look(path)) !== undefined;
}
