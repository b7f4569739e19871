import { mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ImageError } from '#image/image-error.ts';

/** A directory that is being filled. Disposed of without `keep`, what was put into it is gone. */
export interface OutputDirectory extends AsyncDisposable {
  readonly path: string;
  keep(): void;
}

/**
 * Takes a directory that does not exist yet, or is empty, as an output.
 *
 * Errors: ImageError options_invalid when it holds something, is no directory, or lies inside `source`.
 */
export async function claimDirectory(path: string, source: string | undefined): Promise<OutputDirectory> {
  const output = resolve(path);
  const made = await makeEmpty(output);
  const remove = async (): Promise<void> => {
    for (const name of await readdir(output)) await rm(join(output, name), { recursive: true, force: true });
    if (made) await rm(output, { recursive: true, force: true });
  };
  // A source that is not there is the reader's to tell.
  const sourcePath = source === undefined ? undefined : await realpath(source).catch(() => undefined);
  if (sourcePath !== undefined && `${await realpath(output)}/`.startsWith(`${sourcePath}/`)) {
    await remove();
    throw new ImageError('options_invalid', `output ${path} lies inside the source`);
  }
  let kept = false;
  return {
    path: output,
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await remove();
    },
  };
}

/** Answers whether it was made here. */
async function makeEmpty(output: string): Promise<boolean> {
  try {
    await mkdir(output);
    return true;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const names = code === 'EEXIST' ? await readdir(output).catch(() => undefined) : undefined;
    if (names?.length === 0) return false;
    const reason = names === undefined ? 'cannot be made' : 'is not empty';
    throw new ImageError('options_invalid', `output directory ${output} ${reason}`, { cause });
  }
}
