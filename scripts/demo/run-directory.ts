import { chmod, mkdir, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';

/** The directory of one run, which is gone when it is disposed of. */
export interface RunDirectory extends AsyncDisposable {
  readonly path: string;
  /** Leaves it to whoever wants to look into it. */
  keep(): void;
}

const namePattern = /^run-(\d+)$/;

/**
 * Makes a fresh directory for this run below `base`, and removes those of runs that have ended.
 * Errors: DemoError directory_unusable, no_space.
 */
export async function openRunDirectory(base: string, neededBytes: number): Promise<RunDirectory> {
  const path = join(base, `run-${process.pid}`);
  try {
    await mkdir(base, { recursive: true });
    for (const name of await readdir(base)) {
      const pid = namePattern.exec(name)?.[1];
      if (pid !== undefined && !(await isDemo(pid))) await removeTree(join(base, name));
    }
    await removeTree(path);
    await mkdir(path);
  } catch (cause) {
    const message = `${base} cannot be used: ${(cause as Error).message}; choose another directory with --dir`;
    throw new DemoError('directory_unusable', message, { cause });
  }
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < neededBytes) {
    const [free, needed] = [bavail * bsize, neededBytes].map((bytes) => (bytes / 1e9).toFixed(1));
    await removeTree(path);
    throw new DemoError(
      'no_space',
      `${base} has ${free} GB free, ${needed} GB are needed; choose another directory with --dir`,
    );
  }
  let kept = false;
  return {
    path,
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await removeTree(path);
    },
  };
}

/** Process ids are given anew: only one that runs this program counts. */
async function isDemo(pid: string): Promise<boolean> {
  if (Number(pid) === process.pid) return false;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes('demo.ts');
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    // An ordinary user may not look into every directory that is its own.
    await unlock(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function unlock(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const item of await readdir(directory, { withFileTypes: true })) {
    if (item.isDirectory()) await unlock(join(directory, item.name));
  }
}
