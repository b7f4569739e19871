import { createHash, hash } from 'node:crypto';
import { createReadStream, lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { entryKinds, type FileTable } from './file-table.ts';

/** One way in which a tree is not what the image says. */
export interface TreeDifference {
  readonly path: string;
  readonly what: string;
}

export interface CompareOptions {
  /** Paths, with all that lies below, that may differ: persistents. */
  readonly except?: readonly string[];
  /** Whether owners count; an ordinary user cannot set them. @default true */
  readonly owners?: boolean;
  readonly signal?: AbortSignal;
}

/** Files up to this many bytes are read at once. */
const smallBytes = 64 * 1024;

/** The event loop gets its turn after so many entries. */
const entriesPerTurn = 32;

/**
 * Compares a directory tree with an image entry by entry: paths, types, modes with setuid and sticky bits, owners,
 * symlink targets, hard links, sizes and bytes. Reads every file once.
 * Yields nothing when they are the same.
 */
export async function* compareTree(
  table: FileTable,
  root: string,
  { except = [], owners = true, signal }: CompareOptions = {},
): AsyncGenerator<TreeDifference> {
  const isExcepted = (path: string): boolean =>
    except.some((top) => path === top || path.startsWith(`${top}/`));
  const inodeOfGroup = new Map<number, number>();
  const groupOfInode = new Map<number, number>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    if (entry % entriesPerTurn === 0) await setImmediate();
    signal?.throwIfAborted();
    const path = table.path(entry);
    if (isExcepted(path)) continue;
    const stats = statOf(root + path);
    if (stats === undefined) {
      yield { path, what: 'is missing' };
      continue;
    }
    for (const what of await entryProblems(table, entry, root + path, stats, owners)) yield { path, what };
    if (table.kind(entry) !== entryKinds.regular || !stats.isFile()) continue;
    const group = table.group(entry);
    if (group === 0 && stats.nlink > 1) yield { path, what: `has ${stats.nlink} names, should have 1` };
    if (group === 0) continue;
    if ((inodeOfGroup.get(group) ?? stats.ino) !== stats.ino)
      yield { path, what: 'is not hard-linked to its group' };
    if ((groupOfInode.get(stats.ino) ?? group) !== group)
      yield { path, what: 'is hard-linked to another group' };
    inodeOfGroup.set(group, stats.ino);
    groupOfInode.set(stats.ino, group);
  }
  for await (const path of pathsBelow(root, '')) {
    signal?.throwIfAborted();
    if (table.find(path) < 0 && !isExcepted(path) && !hasEntryBelow(table, path))
      yield { path, what: 'is not in the image' };
  }
}

async function entryProblems(
  table: FileTable,
  entry: number,
  path: string,
  stats: Stats,
  owners: boolean,
): Promise<string[]> {
  const problems: string[] = [];
  const kind = table.kind(entry);
  const isKind =
    kind === entryKinds.directory
      ? stats.isDirectory()
      : kind === entryKinds.symlink
        ? stats.isSymbolicLink()
        : stats.isFile();
  if (!isKind) return ['is of another type'];
  const mode = stats.mode & 0o7777;
  if (kind !== entryKinds.symlink && mode !== table.mode(entry)) {
    problems.push(`has mode ${mode.toString(8)}, should have ${table.mode(entry).toString(8)}`);
  }
  if (owners && (stats.uid !== table.uid(entry) || stats.gid !== table.gid(entry))) {
    problems.push(`belongs to ${stats.uid}:${stats.gid}, should to ${table.uid(entry)}:${table.gid(entry)}`);
  }
  if (kind === entryKinds.symlink && readlinkSync(path) !== table.target(entry)) {
    problems.push('points elsewhere');
  }
  if (
    kind === entryKinds.regular &&
    (await sha256Of(path, stats.size)) !== table.resourceHex(table.resource(entry))
  ) {
    problems.push('has other content');
  }
  return problems;
}

/** Small files with synchronous calls: the promises would cost several times what the reading does. */
async function sha256Of(path: string, size: number): Promise<string | undefined> {
  try {
    if (size <= smallBytes) return hash('sha256', readFileSync(path));
    const large = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      large.update(chunk as Buffer);
    }
    return large.digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

async function* pathsBelow(root: string, directory: string): AsyncGenerator<string> {
  for (const item of await readdir(root + directory, { withFileTypes: true })) {
    const path = `${directory}/${item.name}`;
    yield path;
    if (item.isDirectory()) yield* pathsBelow(root, path);
  }
}

/** A directory that the image needs without naming it. */
function hasEntryBelow(table: FileTable, path: string): boolean {
  for (let entry = 0; entry < table.entryCount; entry++)
    if (table.path(entry).startsWith(`${path}/`)) return true;
  return false;
}
