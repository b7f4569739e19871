import { readdir, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeDirectoryDurably, removeDurably, syncDirectory, writeDurably } from '#host/durable-file.ts';
import { sumsPath } from './segment-name.ts';

const maxFiles = 32;
const maxBytes = 16 * 1024 * 1024;

/**
 * Where segments go that nobody takes and that must not get in the way of others: a person may look at them, with the
 * reason beside each. The newest few are kept. Errors: those of the file system.
 */
export class Quarantine {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Moves a segment here. */
  async take(path: string, why: string): Promise<void> {
    const target = await this.#place(basename(path), why);
    await rename(path, target);
    await syncDirectory(this.#directory);
    await removeDurably(sumsPath(path));
  }

  /** Keeps a copy of a damaged file that will be mended in place. */
  async copy(name: string, bytes: Buffer, why: string): Promise<void> {
    await writeDurably(await this.#place(name, why), bytes, 0o600);
  }

  async #place(name: string, why: string): Promise<string> {
    await makeDirectoryDurably(this.#directory, 0o700);
    await this.#makeRoom();
    const target = join(this.#directory, name);
    // A full disk is no reason to keep what is in the way.
    await writeDurably(`${target}.why`, `${why}\n`, 0o600).catch(() => {});
    return target;
  }

  async #makeRoom(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => !name.endsWith('.why')).toSorted();
    const sizes = await Promise.all(
      names.map(async (name) => (await stat(join(this.#directory, name))).size),
    );
    let sum = sizes.reduce((all, size) => all + size, 0);
    let files = names.length;
    for (const [i, name] of names.entries()) {
      if (files < maxFiles && sum < maxBytes) return;
      await removeDurably(join(this.#directory, name));
      await removeDurably(join(this.#directory, `${name}.why`));
      sum -= sizes[i] ?? 0;
      files--;
    }
  }
}
