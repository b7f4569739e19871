import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { chmod, constants, copyFile, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const temporaryPrefix = '.ota-tmp-';

/**
 * Replaces a small file so that after a power cut it holds either all of the old or all of the new content: temporary
 * file in the same directory, fsync, rename, fsync of the directory. Durable when the promise resolves.
 *
 * Left-over temporary files of an interrupted write are harmless; `sweepTemporaries` removes them.
 * Errors: those of the file system; the target is then as it was.
 */
export async function writeDurably(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = join(
    dirname(path),
    `${temporaryPrefix}${basename(path)}-${randomBytes(6).toString('hex')}`,
  );
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Copies a file of any size over another as durably as `writeDurably` writes: after a power cut the target is all of the
 * old or all of the new one. Errors: those of the file system; the target is then as it was.
 */
export async function copyDurably(from: string, to: string, mode = 0o644): Promise<void> {
  const temporary = join(dirname(to), `${temporaryPrefix}${basename(to)}-${randomBytes(6).toString('hex')}`);
  try {
    await copyFile(from, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await chmod(temporary, mode);
    const file = await open(temporary, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(to));
}

/** Gives a file another name in the same directory, durably; what had that name is replaced. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

/** Removes a file durably; a file that is not there is fine. */
export async function removeDurably(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return;
  }
  await syncDirectory(dirname(path));
}

/** Makes a directory and its missing parents, durably. */
export async function makeDirectoryDurably(path: string, mode = 0o755): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode });
  if (firstMade === undefined) return;
  for (let at = path; at.length >= firstMade.length; at = dirname(at)) await syncDirectory(dirname(at));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes what interrupted writes left in a directory. Call it only when no write to it is under way. */
export async function sweepTemporaries(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith(temporaryPrefix)) await rm(join(directory, name), { force: true });
  }
}

/** The first `maxBytes` bytes of a file; undefined when there is no such file. Errors: those of the file system. */
export async function readAtMost(path: string, maxBytes: number): Promise<Buffer | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const { bytesRead } = await file.read(buffer, length, maxBytes - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}

/**
 * A small JSON file written by us. Undefined when it is missing; null when it is too large or not JSON: `writeDurably`
 * leaves no such file, so that it is not ours. Errors: those of the file system.
 */
export async function readSmallJson(path: string, maxBytes: number): Promise<unknown> {
  const bytes = await readAtMost(path, maxBytes + 1);
  if (bytes === undefined) return undefined;
  if (bytes.length > maxBytes) return null;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
