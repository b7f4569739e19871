import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The last `maxBytes` bytes of a regular file, as text from the first whole line on; undefined when there is none. Never
 * waits for anybody: a pipe or device of that name is no file. Errors: those of the file system.
 */
export async function readTail(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const about = await file.stat();
    if (!about.isFile()) return undefined;
    const buffer = Buffer.alloc(maxBytes);
    const start = Math.max(0, about.size - maxBytes);
    const { bytesRead } = await file.read(buffer, 0, maxBytes, start);
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
