import type { Stats } from 'node:fs';
import {
  chmod,
  chown,
  constants,
  copyFile,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import { copySparse } from '#host/copy-sparse.ts';
import { resolveInRoot } from '#host/root-path.ts';
import type { AccountMap } from './account-map.ts';
import type { Place } from './places.ts';
import { fileAbove, isCarried, isThere, within } from './places.ts';

/** The release that files are taken from runs: what is replaced again and again is not waited for for ever. */
const attempts = 5;

/** What one name gives that has become something else, or nothing, since it was looked at. */
const changedCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EINVAL']);

/** Copies files of one slot into another, with owners translated by name, modes, times, hard links and holes. */
export class Carrier {
  readonly #accounts: AccountMap;
  readonly #signal: AbortSignal;
  readonly #isRoot = process.geteuid?.() === 0;
  /** Where files with several names were copied to, by device and inode. */
  readonly #copies = new Map<string, { readonly place: Place; readonly inode: number }>();

  constructor(accounts: AccountMap, signal: AbortSignal) {
    this.#accounts = accounts;
    this.#signal = signal;
  }

  /**
   * Copies a file, symlink or directory to a name that is free; others are passed over. So is what vanishes meanwhile, as
   * files of a running system do.
   */
  async copy(from: Place, to: Place): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        return await this.#copyNow(from, to);
      } catch (error) {
        this.#signal.throwIfAborted();
        const { code } = error as NodeJS.ErrnoException;
        if (!changedCodes.has(code) || attempt === attempts) throw error;
        await rm(to, { recursive: true, force: true });
        if (!(await isThere(from))) return;
      }
    }
  }

  async #copyNow(from: Place, to: Place): Promise<void> {
    const stats = await lstat(from);
    if (!isCarried(stats)) return;
    if (stats.isSymbolicLink()) {
      await symlink(await readlink(from, 'buffer'), to);
      await this.#own(stats, (uid, gid) => lchown(to, uid, gid));
      await lutimes(to, stats.atime, stats.mtime);
      return;
    }
    if (stats.isDirectory()) {
      await mkdir(to, { mode: 0o700 });
      for (const name of await readdir(from, 'buffer')) await this.copy(within(from, name), within(to, name));
    } else if (await this.#linked(stats, to)) return;
    else await this.#copyFile(from, to, stats);
    // Owner first: chown clears setuid.
    await this.#own(stats, (uid, gid) => chown(to, uid, gid));
    await chmod(to, stats.mode & 0o7777);
    await utimes(to, stats.atime, stats.mtime);
  }

  async #copyFile(from: Place, to: Place, stats: Stats): Promise<void> {
    const hasHoles = stats.blocks * 512 < stats.size;
    if (hasHoles && !(await isCloned(from, to))) await copySparse(from, to, this.#signal);
    else if (!hasHoles) await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    if (stats.nlink === 1) return;
    this.#copies.set(`${stats.dev}:${stats.ino}`, { place: to, inode: (await lstat(to)).ino });
  }

  /** Whether `to` is now another name of a file that was copied before under another one. */
  async #linked(stats: Stats, to: Place): Promise<boolean> {
    const copy = stats.nlink === 1 ? undefined : this.#copies.get(`${stats.dev}:${stats.ino}`);
    if (copy === undefined) return false;
    try {
      // It may have been replaced meanwhile, together with a directory around it.
      if ((await lstat(copy.place)).ino !== copy.inode) return false;
      await link(copy.place, to);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EMLINK' || code === 'EXDEV') return false;
      throw error;
    }
  }

  /**
   * Makes missing directories above `to` with the owner and mode that they have in the active slot. Gives those it made,
   * outermost first.
   */
  async makeParents(activeRoot: string, root: string, to: string): Promise<string[]> {
    const made: string[] = [];
    const file = await fileAbove(root, to.slice(root.length + 1));
    if (file !== undefined) {
      const error = new Error(`${file} is no directory in the release that it goes to`);
      throw Object.assign(error, { code: 'ENOTDIR' });
    }
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

async function isCloned(from: Place, to: Place): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch {
    await rm(to, { force: true });
    return false;
  }
}
