import { access, constants } from 'node:fs/promises';
import type { BootErrorCode } from './boot-error.ts';
import { BootError } from './boot-error.ts';

/** What a boot partition, or another place that is written to, is mended by. */
const mends: Readonly<Record<string, string>> = {
  ENOSPC: 'is full: remove files that no slot boots from',
  EROFS: 'is read only: check its file system, and mount it writable',
  EIO: 'cannot be read or written: check the disk',
};

/**
 * Does something on a boot partition, and says what it was when it fails, and how to mend a partition that is full, read
 * only or broken. Errors: BootError with `code`; one that `work` throws is shown as it is.
 */
export async function naming<T>(
  mountPoint: string,
  code: BootErrorCode,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BootError) throw error;
    const why = whyAndMend(error, `the boot partition at ${mountPoint}`);
    throw new BootError(code, `${what}: ${why}`, { cause: error });
  }
}

/** What an error of a file system says, and how to mend `place`, where that is known. */
export function whyAndMend(error: unknown, place: string): string {
  const why = error instanceof Error ? error.message : String(error);
  const mend = mends[error instanceof Error && 'code' in error ? String(error.code) : ''];
  return mend === undefined ? why : `${why}; ${place} ${mend}`;
}

/** Errors: BootError `startup_failed`, when nothing can be written to a place that `what` names. */
export async function requireWritable(path: string, what: string): Promise<void> {
  try {
    await access(path, constants.W_OK);
  } catch (error) {
    throw new BootError(
      'startup_failed',
      `${what} cannot be written to: ${path} is read only for this process; check its file system, and mount it writable`,
      { cause: error },
    );
  }
}
