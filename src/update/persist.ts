import {
  chmod,
  chown,
  constants,
  copyFile,
  lchown,
  lstat,
  mkdir,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import { OtaFailure } from '#domain/failure.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { type AccountMap, readAccountMap } from './account-map.ts';
import type { StagedTree } from './plan.ts';
import type { StepContext } from './steps.ts';

/** Never carried over: the system makes them anew, and they are large. */
const ignored: ReadonlySet<string> = new Set(['/swapfile', '/swap.img']);

/**
 * Carries the image's persistent files, directories and symlinks over from the active slot. What the active slot does
 * not have is left as the image has it; a directory replaces the image's. Owners are translated by name, modes kept
 * with setuid, times kept. Sockets, pipes and devices inside are passed over.
 *
 * Errors: OtaFailure standby_slot_full, placing.
 */
export async function persistFiles(staged: StagedTree, { meter, signal }: StepContext): Promise<StagedTree> {
  meter.enter('PROCESSING_POSTUPDATE', 'PERSISTENT');
  const { activeRoot, root } = staged.tree;
  if (staged.image.persistents.length === 0) return staged;
  const carrier = new Carrier(await readAccountMap(activeRoot, root), signal);
  for (const path of staged.image.persistents) {
    signal.throwIfAborted();
    if (ignored.has(path)) continue;
    try {
      const from = await resolveInRoot(activeRoot, path, false);
      if (!(await exists(from))) continue;
      const to = await resolveInRoot(root, path, false);
      await carrier.makeParents(activeRoot, root, to);
      await rm(to, { recursive: true, force: true });
      await carrier.copy(from, to);
    } catch (error) {
      signal.throwIfAborted();
      const { code } = error as NodeJS.ErrnoException;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      throw new OtaFailure(
        full ? 'standby_slot_full' : 'placing',
        `persistent ${path} could not be carried over: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  return staged;
}

/** Bytes that the persistent files take up in the active slot, 512 at a time; 0 for what is not there. */
export async function persistentBytes(paths: readonly string[], activeRoot: string): Promise<number> {
  let bytes = 0;
  const add = async (path: string): Promise<void> => {
    const stats = await lstat(path);
    bytes += stats.blocks * 512;
    if (stats.isDirectory()) for (const name of await readdir(path)) await add(`${path}/${name}`);
  };
  for (const path of paths) {
    if (ignored.has(path)) continue;
    const from = await resolveInRoot(activeRoot, path, false);
    if (await exists(from)) await add(from);
  }
  return bytes;
}

class Carrier {
  readonly #accounts: AccountMap;
  readonly #signal: AbortSignal;
  readonly #isRoot = process.geteuid?.() === 0;

  constructor(accounts: AccountMap, signal: AbortSignal) {
    this.#accounts = accounts;
    this.#signal = signal;
  }

  async copy(from: string, to: string): Promise<void> {
    this.#signal.throwIfAborted();
    const stats = await lstat(from);
    if (stats.isSymbolicLink()) {
      await symlink(await readlink(from), to);
      await this.#own(stats, (uid, gid) => lchown(to, uid, gid));
      return;
    }
    if (stats.isDirectory()) {
      await mkdir(to, { mode: 0o700 });
      for (const name of await readdir(from)) await this.copy(`${from}/${name}`, `${to}/${name}`);
    } else if (stats.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    else return;
    // Owner first: chown clears setuid.
    await this.#own(stats, (uid, gid) => chown(to, uid, gid));
    await chmod(to, stats.mode & 0o7777);
    await utimes(to, stats.atime, stats.mtime);
  }

  /** Makes missing directories above `to` with the owner and mode that they have in the active slot. */
  async makeParents(activeRoot: string, root: string, to: string): Promise<void> {
    const names = to
      .slice(root.length + 1)
      .split('/')
      .slice(0, -1);
    let above = root;
    for (const name of names) {
      above = `${above}/${name}`;
      if (await exists(above)) {
        // An ordinary user needs leave to write even into directories that are its own.
        if (!this.#isRoot) await this.#open(above);
        continue;
      }
      await mkdir(above, { mode: 0o755 });
      const model = await resolveInRoot(activeRoot, above.slice(root.length));
      if (!(await exists(model))) continue;
      const stats = await lstat(model);
      await this.#own(stats, (uid, gid) => chown(above, uid, gid));
      await chmod(above, stats.mode & 0o7777);
    }
  }

  async #open(directory: string): Promise<void> {
    const stats = await lstat(directory);
    if (stats.isDirectory() && (stats.mode & 0o700) !== 0o700) await chmod(directory, stats.mode | 0o700);
  }

  async #own(
    stats: { readonly uid: number; readonly gid: number },
    set: (uid: number, gid: number) => Promise<void>,
  ): Promise<void> {
    if (!this.#isRoot) return;
    await set(this.#accounts.uid(stats.uid), this.#accounts.gid(stats.gid));
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
