import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { SharedState } from '#update/shared-state.ts';

const createFlags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
const specialBits = 0o7000;

/**
 * Writes entries of the image below the standby root with their mode and owner. Owners that the process may not set
 * are recorded per entry instead. Sets owner before mode: chown clears setuid.
 */
export class SlotWriter {
  readonly root: string;
  /** False once it is known that its file system shares no blocks between files. */
  mayShare = true;
  readonly #state: SharedState;
  readonly #umask: number;
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  #mayChown = true;

  constructor(root: string, state: SharedState, umask: number) {
    this.root = root;
    this.#state = state;
    this.#umask = umask;
  }

  pathOf(entry: number): string {
    return this.root + this.#state.table.path(entry);
  }

  /** Creates the file of an entry; its metadata is set by `close`. */
  create(entry: number): number {
    const path = this.pathOf(entry);
    const mode = this.#state.table.mode(entry) & 0o777;
    try {
      return openSync(path, createFlags, mode);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // Left by a run that was cut short after the slot was cleaned.
      unlinkSync(path);
      return openSync(path, createFlags, mode);
    }
  }

  /** Sets owner and mode of a file that `create` opened, and closes it. */
  close(fd: number, entry: number): void {
    try {
      const { table } = this.#state;
      const mode = table.mode(entry);
      const owned = this.#chown(entry, (uid, gid) => fchownSync(fd, uid, gid));
      if (owned || (mode & (specialBits | this.#umask)) !== 0) fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  }

  /** Creates the file of an entry with these bytes. */
  write(entry: number, bytes: Uint8Array): void {
    const fd = this.create(entry);
    try {
      writeAll(fd, bytes);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.close(fd, entry);
  }

  /** Sets owner and mode of a file or directory that exists. */
  adopt(entry: number): void {
    const path = this.pathOf(entry);
    this.#chown(entry, (uid, gid) => chownSync(path, uid, gid), true);
    chmodSync(path, this.#state.table.mode(entry));
  }

  /** Sets the owner of a symlink that exists; symlinks have no mode of their own. */
  adoptSymlink(entry: number, always: boolean): void {
    this.#chown(entry, (uid, gid) => lchownSync(this.pathOf(entry), uid, gid), always);
  }

  /** Whether `chown` was called; new files already belong to the process itself. */
  #chown(entry: number, chown: (uid: number, gid: number) => void, always = false): boolean {
    const uid = this.#state.table.uid(entry);
    const gid = this.#state.table.gid(entry);
    if (!always && uid === this.#uid && gid === this.#gid) return false;
    if (!this.#mayChown && (uid !== this.#uid || gid !== this.#gid)) {
      this.#state.data.unowned[entry] = 1;
      return false;
    }
    try {
      chown(uid, gid);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
      this.#mayChown = false;
      this.#state.data.unowned[entry] = 1;
      return false;
    }
  }
}

/** Writes all bytes, however many calls the kernel makes of it. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at, bytes.length - at);
}
