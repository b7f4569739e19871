import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';

/**
 * What lies at a path, a symbolic link itself and not what it points to; undefined when nothing does. Node's promises
 * know no such call: their `lstat` takes `throwIfNoEntry`, and throws. Errors: those of the file system.
 */
export async function entryAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
