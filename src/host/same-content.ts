import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

const chunkBytes = 1024 * 1024;

/** Whether two files have the same bytes; false when one of them is not there. Errors: those of the file system. */
export async function sameContent(one: string, other: string): Promise<boolean> {
  await using left = await openIfThere(one);
  await using right = await openIfThere(other);
  if (left === undefined || right === undefined) return false;
  const [a, b] = [await left.stat(), await right.stat()];
  if (a.dev === b.dev && a.ino === b.ino) return true;
  if (a.size !== b.size) return false;
  const [first, second] = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)];
  for (let at = 0; at < a.size; ) {
    const length = await fill(left, first, at);
    if (length === 0 || length !== (await fill(right, second, at))) return false;
    if (!first.subarray(0, length).equals(second.subarray(0, length))) return false;
    at += length;
  }
  return true;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** Fills the buffer from a position, but for the end of the file. */
async function fill(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}
