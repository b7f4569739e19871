import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectoryDurably, readSmallJson, removeDurably, writeDurably } from '#host/durable-file.ts';

/** Which releases are refused. */
export const quarantineFile = 'quarantine';
/** One file for each time the ECU came back from a release by itself. */
export const blackBoxFolder = 'blackbox';
/** When the release in the slot came to which point of its first boot, told by itself. */
export const firstBootFile = 'first-boot';
/** Why a trial was ended, told by the guard beside a daemon that could not end it itself. */
export const guardNoteFile = 'trial-failure';

/** Nothing that is kept is larger. */
export const maxArchiveFileBytes = 64 * 1024;
/** There are never so many names in a folder unless somebody else put them there. */
const maxNames = 256;

/**
 * What is kept beside the status files of a slot and outlives the release in it. Every file is replaced as a whole,
 * durably. Errors: those of the file system.
 */
export class SlotArchive {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined when missing; null when it is too large or not JSON: it is not ours, or was damaged. */
  read(name: string): Promise<unknown> {
    return readSmallJson(join(this.#directory, name), maxArchiveFileBytes);
  }

  async write(name: string, content: unknown): Promise<void> {
    const path = join(this.#directory, name);
    await makeDirectoryDurably(dirname(path));
    await writeDurably(path, `${JSON.stringify(content)}\n`);
  }

  async remove(name: string): Promise<void> {
    await removeDurably(join(this.#directory, name));
  }

  /** The last names in a folder, in order; none when there is no such folder. */
  async list(folder: string): Promise<string[]> {
    try {
      const names = await readdir(join(this.#directory, folder));
      const kept = names.filter((name) => !name.startsWith('.')).toSorted();
      return kept.slice(-maxNames);
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (missing) return [];
      throw error;
    }
  }

  /**
   * Hands on what a release must know of the ones before it; what was told of an earlier trial goes. Black boxes are for
   * people: what does not fit is left behind, and stays where it was.
   */
  async handOn(to: SlotArchive): Promise<void> {
    await to.remove(firstBootFile);
    await to.remove(guardNoteFile);
    await this.remove(guardNoteFile);
    const quarantine = await this.read(quarantineFile);
    if (quarantine === undefined) await to.remove(quarantineFile);
    else if (quarantine !== null) await to.write(quarantineFile, quarantine);
    try {
      await this.#handOnBlackBoxes(to);
    } catch {
      // A full or damaged place is no reason to lose an update for.
    }
  }

  async #handOnBlackBoxes(to: SlotArchive): Promise<void> {
    const mine = await this.list(blackBoxFolder);
    const theirs = await to.list(blackBoxFolder);
    for (const name of theirs.filter((one) => !mine.includes(one))) {
      await to.remove(join(blackBoxFolder, name));
    }
    for (const name of mine.filter((one) => !theirs.includes(one))) {
      const path = join(blackBoxFolder, name);
      const content = await this.read(path);
      if (content !== undefined && content !== null) await to.write(path, content);
    }
  }
}
