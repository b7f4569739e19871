import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { NetError } from './net-error.ts';

const readBytes = 256 * 1024;

/**
 * The bytes of a body that arrived so far, in a file, as they came over the wire. They survive the end of the process
 * as soon as `append` resolves. A torn or wrong tail is harmless: whoever uses the file verifies a digest over all of
 * it. One user at a time.
 */
export class PartFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  #length: number;

  private constructor(handle: FileHandle, length: number) {
    this.#handle = handle;
    this.#length = length;
  }

  /** Opens or makes the file. Errors: the file system's own. */
  static async open(path: string): Promise<PartFile> {
    const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
    const handle = await open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
    try {
      return new PartFile(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that `append` has finished writing. */
  get length(): number {
    return this.#length;
  }

  /** Writes at the end. Calls must not overlap. */
  async append(chunks: readonly Uint8Array[]): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    let written = 0;
    const only = chunks.length === 1 ? chunks[0] : undefined;
    if (only === undefined) {
      written = (await this.#handle.writev([...chunks])).bytesWritten;
      if (written < bytes) await this.#rest(Buffer.concat(chunks), written);
    } else {
      await this.#rest(only, 0);
    }
    this.#length += bytes;
  }

  /** A piece of what is there, from `position`. */
  async read(position: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, this.#length - position));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error('part file was cut while it was read');
    return buffer.subarray(0, bytesRead);
  }

  /** Forgets all bytes: they turned out to belong to something else. */
  async discard(): Promise<void> {
    await this.#handle.truncate(0);
    this.#length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  /** A full file system cuts a write short before it fails the next one. */
  async #rest(chunk: Uint8Array, from: number): Promise<void> {
    for (let at = from; at < chunk.length; ) {
      at += (await this.#handle.write(chunk, at, chunk.length - at)).bytesWritten;
    }
  }
}

/** Removes a part file that is no longer needed, or whose bytes proved wrong. None there is fine. */
export async function discardPart(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** What a failure of the file system means for the download. */
export function partError(cause: unknown): NetError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new NetError('no_space', undefined, 'no space left for the part of a download', { cause })
    : new NetError('part_failed', undefined, 'the part of a download cannot be kept', { cause });
}
