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
  symlink,
  utimes,
} from 'node:fs/promises';
import { resolveInRoot } from '#host/root-path.ts';
import type { AccountMap } from './account-map.ts';

/** Copies files of one slot into another, with owners translated by name, modes and times. */
export class Carrier {
  readonly #accounts: AccountMap;
  readonly #signal: AbortSignal;
  readonly #isRoot = process.geteuid?.() === 0;

  constructor(accounts: AccountMap, signal: AbortSignal) {
    this.#accounts = accounts;
    this.#signal = signal;
  }

  /** Copies a file, symlink or directory to a name that is free; others are passed over. */
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

  /**
   * Makes missing directories above `to` with the owner and mode that they have in the active slot. Gives those it made,
   * outermost first.
   */
  async makeParents(activeRoot: string, root: string, to: string): Promise<string[]> {
    const made: string[] = [];
    const names = to
      .slice(root.length + 1)
      .split('/')
      .slice(0, -1);
    let above = root;
    for (const name of names) {
      above = `${above}/${name}`;
      if (await isThere(above)) {
        // An ordinary user needs leave to write even into directories that are its own.
        if (!this.#isRoot) await this.#open(above);
        continue;
      }
      await mkdir(above, { mode: 0o755 });
      made.push(above);
      const model = await resolveInRoot(activeRoot, above.slice(root.length));
      if (!(await isThere(model))) continue;
      const stats = await lstat(model);
      await this.#own(stats, (uid, gid) => chown(above, uid, gid));
      await chmod(above, stats.mode & 0o7777);
    }
    return made;
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

/** Whether there is anything by that name, a dangling symlink too. Errors: those of the file system. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
