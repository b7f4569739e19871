import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ImageError } from '#image/image-error.ts';

/** How the files of an image are reached, on disk or on a server. */
export interface ImageAccess {
  /** Ends in a slash. */
  readonly baseUrl: URL;
  /** Whether the image may still be without metadata.jwt: on a server it never is. */
  readonly mayBeUnsigned: boolean;
  /** Errors: ImageError source_unreadable, or those of the server. */
  read(url: URL, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Names the bytes behind a URL, equal for hard links of one file, and their number; undefined when unknown. */
  identify(url: URL): Promise<{ readonly key: string; readonly bytes: number } | undefined>;
}

/** An image in a directory. */
export function directoryAccess(directory: string): ImageAccess {
  return {
    baseUrl: pathToFileURL(`${resolve(directory)}/`),
    mayBeUnsigned: true,
    read: async function* (url, signal) {
      const path = fileURLToPath(url);
      try {
        yield* createReadStream(path, { signal, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
      } catch (cause) {
        signal.throwIfAborted();
        throw new ImageError('source_unreadable', `${path} cannot be read`, { cause });
      }
    },
    identify: async (url) => {
      const stats = await stat(fileURLToPath(url)).catch(() => undefined);
      return stats === undefined ? undefined : { key: `${stats.dev}:${stats.ino}`, bytes: stats.size };
    },
  };
}
