import { ImageError } from './image-error.ts';
import { hashSeed, hashStep } from './path-index.ts';

/** Caps on what a path may be. */
export const pathLimits = {
  /** Bytes of one path or symlink target (PATH_MAX of Linux, without its NUL). */
  pathBytes: 4095,
  /** Bytes of one name in a path (NAME_MAX of Linux). */
  nameBytes: 255,
  /** Levels of directories. */
  depth: 256,
} as const;

const slash = 0x2f;
const dot = 0x2e;

/**
 * Goes once over the bytes of a path: refuses what is not absolute, not normal or not nameable on Linux, and hashes it
 * and its parent on the way. One object is used for many paths.
 */
export class PathScan {
  hash = 0;
  parentHash = 0;
  /** Bytes of the parent's path; 0 for the root directory. */
  parentLength = 0;

  /** `bytes[from .. to]` is `path` in UTF-8. Errors: ImageError path_not_absolute, path_traversal, path_refused. */
  scan(path: string, bytes: Uint8Array, from: number, to: number): void {
    if (to === from || bytes[from] !== slash) throw refusal('path_not_absolute', 'is not absolute', path);
    if (to - from > pathLimits.pathBytes) throw refusal('path_refused', 'is over 4095 bytes', path);
    let hash = hashSeed;
    let nameStart = from;
    let depth = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === slash) {
        if (at > from) checkName(path, bytes, nameStart, at);
        nameStart = at + 1;
        this.parentHash = hash;
        this.parentLength = at - from;
        depth++;
      } else if (byte === 0) {
        throw refusal('path_refused', 'holds a NUL', path);
      }
      hash = hashStep(hash, byte);
    }
    checkName(path, bytes, nameStart, to);
    if (depth > pathLimits.depth)
      throw refusal('path_refused', `is deeper than ${pathLimits.depth} levels`, path);
    this.hash = hash >>> 0;
    this.parentHash >>>= 0;
  }
}

/** Refuses what `PathScan` refuses, and text that has no UTF-8. */
export function checkPath(path: string): void {
  checkUnicode(path);
  const bytes = Buffer.from(path);
  new PathScan().scan(path, bytes, 0, bytes.length);
}

/** Refuses half surrogates, which would silently become another path. */
export function checkUnicode(path: string): void {
  if (!path.isWellFormed()) throw refusal('path_refused', 'is not valid Unicode', path);
}

function checkName(path: string, bytes: Uint8Array, from: number, to: number): void {
  const length = to - from;
  if (length > pathLimits.nameBytes) throw refusal('path_refused', 'has a name over 255 bytes', path);
  if (length === 0) throw refusal('path_refused', 'has an empty name in it', path);
  if (bytes[from] !== dot) return;
  if (length === 1) throw refusal('path_refused', 'has a "." in it', path);
  if (length === 2 && bytes[from + 1] === dot) throw refusal('path_traversal', 'has a ".." in it', path);
}

function refusal(
  code: 'path_not_absolute' | 'path_traversal' | 'path_refused',
  what: string,
  path: string,
): ImageError {
  return new ImageError(
    code,
    `path ${what}: ${JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path)}`,
  );
}
