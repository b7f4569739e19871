import type { Stats } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import { type AccountMap, readAccountMap } from '#update/account-map.ts';
import type { Place } from '#update/places.ts';
import { isCarried, look, namesIn, within } from '#update/places.ts';
import type { CarryBackBetween } from './carried-paths.ts';
import { carriedPaths } from './carried-paths.ts';

/** What carrying back would do to one file or symlink, or to one empty directory, of the old release. */
export interface CarryBackChange {
  readonly change: 'new' | 'changed' | 'removed';
  /** As the old release sees it. */
  readonly path: string;
  /** Of the carried file; of the one that goes, for `removed`. */
  readonly bytes: number;
}

const readBytes = 1024 * 1024;

/** Every file that `carryBack` would change, in order of declaration and name. Writes nothing. Errors: those of the file system. */
export async function previewCarryBack(
  between: CarryBackBetween,
  signal: AbortSignal,
): Promise<CarryBackChange[]> {
  const accounts = await readAccountMap(between.activeRoot, between.root);
  const compare = new Comparison(between.root, accounts, signal);
  for (const { from, at } of await carriedPaths(between)) {
    const stats = await look(from);
    if (stats !== undefined && isCarried(stats)) await compare.visit(from, at);
  }
  return compare.changes;
}

class Comparison {
  readonly changes: CarryBackChange[] = [];
  readonly #root: string;
  readonly #accounts: AccountMap;
  readonly #signal: AbortSignal;

  constructor(root: string, accounts: AccountMap, signal: AbortSignal) {
    this.#root = root;
    this.#accounts = accounts;
    this.#signal = signal;
  }

  /** `from` of the running release, undefined where it has nothing to carry, against `at` of the old one. */
  async visit(from: Place | undefined, at: Place): Promise<void> {
    this.#signal.throwIfAborted();
    const to = within(this.#root, Buffer.from(at));
    const [fresh, old] = [from === undefined ? undefined : await look(from), await look(to)];
    const carried = fresh !== undefined && isCarried(fresh) ? fresh : undefined;
    const names = from !== undefined && carried?.isDirectory() === true ? await namesIn(from) : [];
    const oldNames = old?.isDirectory() === true ? await namesIn(to) : [];
    for (const { name, inFirst } of together(names, oldNames)) {
      await this.visit(from !== undefined && inFirst ? within(from, name) : undefined, within(at, name));
    }
    if (carried === undefined) {
      if (old !== undefined && !(old.isDirectory() && oldNames.length > 0)) this.#add('removed', at, old);
    } else if (old === undefined || kindOf(old) !== kindOf(carried)) {
      if (!(carried.isDirectory() && names.length > 0)) this.#add('new', at, carried);
      if (old !== undefined && !old.isDirectory()) this.#add('removed', at, old);
    } else if (from !== undefined && !(await this.#isSame(from, carried, to, old))) {
      this.#add('changed', at, carried);
    }
  }

  async #isSame(from: Place, carried: Stats, to: Place, old: Stats): Promise<boolean> {
    const owned =
      process.geteuid?.() !== 0 ||
      (this.#accounts.uid(carried.uid) === old.uid && this.#accounts.gid(carried.gid) === old.gid);
    if (!owned) return false;
    if (carried.isSymbolicLink()) {
      return (await readlink(from, 'buffer')).equals(await readlink(to, 'buffer'));
    }
    if ((carried.mode & 0o7777) !== (old.mode & 0o7777)) return false;
    return carried.isDirectory() || (carried.size === old.size && (await sameBytes(from, to, this.#signal)));
  }

  #add(change: CarryBackChange['change'], at: Place, stats: Stats): void {
    this.changes.push({ change, path: `/${at.toString()}`, bytes: stats.isFile() ? stats.size : 0 });
  }
}

/** The names of two directories, each once, in order. */
function together(first: readonly Buffer[], other: readonly Buffer[]) {
  const key = (name: Buffer): string => name.toString('latin1');
  const all = new Map(other.map((name) => [key(name), { name, inFirst: false }]));
  for (const name of first) all.set(key(name), { name, inFirst: true });
  return [...all.values()].toSorted((one, two) => one.name.compare(two.name));
}

async function sameBytes(a: Place, b: Place, signal: AbortSignal): Promise<boolean> {
  const [left, right] = [Buffer.alloc(readBytes), Buffer.alloc(readBytes)];
  await using one = await open(a, 'r');
  await using other = await open(b, 'r');
  for (;;) {
    signal.throwIfAborted();
    const [{ bytesRead }, { bytesRead: otherRead }] = [await one.read(left), await other.read(right)];
    if (bytesRead !== otherRead || !left.subarray(0, bytesRead).equals(right.subarray(0, bytesRead)))
      return false;
    if (bytesRead === 0) return true;
  }
}

function kindOf(stats: Stats): string {
  return stats.isDirectory()
    ? 'directory'
    : stats.isSymbolicLink()
      ? 'link'
      : stats.isFile()
        ? 'file'
        : 'other';
}
