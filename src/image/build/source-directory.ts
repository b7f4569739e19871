import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { listExtendedAttributes } from '#host/extended-attributes.ts';
import { ImageError } from '#image/image-error.ts';
import {
  type Content,
  type Ignored,
  type ImageSource,
  type Problem,
  type ProblemKind,
  type SourceEntry,
  showBytes,
  textOf,
} from './source.ts';

const chunkBytes = 1024 * 1024;
const slash = Buffer.from('/');

/** A directory tree as the source of an image: symlinks are not followed, names of one inode are hard links. */
export function directorySource(root: string): ImageSource {
  const top = resolve(root);
  return { rereadable: true, root: top, entries: (ignored, signal) => walk(top, ignored, signal) };
}

/** The attributes of the file at these bytes. */
type AttributesOf = (path: Buffer) => readonly string[];

async function* walk(root: string, ignored: Ignored, signal: AbortSignal): AsyncGenerator<SourceEntry> {
  const attributes = await listExtendedAttributes(root, signal);
  if (attributes === undefined) {
    yield { kind: 'note', text: 'extended attributes were not looked for: no getfattr here (package attr)' };
  } else if (attributes.incomplete !== undefined) {
    yield { kind: 'note', text: `extended attributes were not all looked at: ${attributes.incomplete}` };
  }
  const attributesOf: AttributesOf = (path) => attributes?.byPath.get(path.toString('latin1')) ?? [];

  // Paths stay bytes until they are known to be UTF-8: a decoded name may not lead back to its file.
  const top = Buffer.from(root === '/' ? '' : root);
  const waiting: Buffer[] = [top];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    await setImmediate(undefined, { signal });
    for (const name of namesIn(directory, top)) {
      const file = Buffer.concat([directory, slash, name]);
      const below = file.subarray(top.length);
      const path = textOf(below) ?? showBytes(below);
      const stats = statOf(file, path);
      if (ignored(path, stats.isDirectory())) continue;
      const descends = stats.isDirectory() && isReadable(file);
      if (descends) waiting.push(file);
      yield textOf(below) === undefined
        ? unfit('names', path, 'name is not UTF-8')
        : describe(file, path, stats, attributesOf(file));
    }
  }
}

function namesIn(directory: Buffer, top: Buffer): Buffer[] {
  try {
    return readdirSync(directory.length === 0 ? slash : directory, { encoding: 'buffer' });
  } catch (cause) {
    const shown = directory.equals(top) ? showBytes(top) : showBytes(directory.subarray(top.length));
    throw new ImageError('source_unreadable', `directory ${shown} cannot be read`, { cause });
  }
}

function statOf(file: Buffer, path: string): BigIntStats {
  try {
    return lstatSync(file, { bigint: true });
  } catch (cause) {
    throw new ImageError('source_unreadable', `${path} cannot be looked at`, { cause });
  }
}

function describe(
  file: Buffer,
  path: string,
  stats: BigIntStats,
  attributes: readonly string[],
): SourceEntry {
  const problems: Problem[] = [];
  if (attributes.length > 0) problems.push({ kind: 'xattrs', path, reason: `has ${attributes.join(', ')}` });
  const owned = {
    path,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    problems,
    inode: stats.nlink > 1n ? `${stats.dev}:${stats.ino}` : undefined,
  };
  if (stats.isDirectory()) {
    if (!isReadable(file)) problems.push({ kind: 'unreadable', path, reason: 'directory cannot be read' });
    return { kind: 'directory', ...owned };
  }
  if (stats.isSymbolicLink()) {
    const target = textOf(readlinkSync(file, { encoding: 'buffer' }));
    if (target === undefined) return unfit('names', path, 'symlink target is not UTF-8');
    return { kind: 'symlink', target, ...owned };
  }
  if (stats.isFile()) {
    if (!isReadable(file)) return unfit('unreadable', path, 'file cannot be read');
    return { kind: 'regular', content: contentOf(file, path, Number(stats.size)), ...owned };
  }
  return special(path, stats);
}

function special(path: string, stats: BigIntStats): SourceEntry {
  if (stats.isFIFO()) return unfit('fifos', path, 'named pipe');
  if (stats.isSocket()) return unfit('sockets', path, 'socket');
  // overlayfs notes a removed file as a character device 0/0.
  if (stats.isCharacterDevice() && stats.rdev === 0n) return unfit('whiteouts', path, 'whiteout');
  return unfit('devices', path, stats.isCharacterDevice() ? 'character device' : 'block device');
}

function unfit(kind: ProblemKind, path: string, reason: string): SourceEntry {
  return { kind: 'other', problem: { kind, path, reason } };
}

function isReadable(file: Buffer): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads with synchronous calls: asynchronous ones would queue behind the compressions on libuv's few threads. The
 * event loop gets its turn after every chunk.
 */
function contentOf(file: Buffer, path: string, size: number): Content {
  return async function* (signal) {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      for (;;) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size + 1));
        const length = readSync(descriptor, chunk);
        if (length === 0) return;
        yield chunk.subarray(0, length);
        if (length === chunkBytes) await setImmediate(undefined, { signal });
      }
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw new ImageError('source_unreadable', `${path} cannot be read`, { cause });
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
}
