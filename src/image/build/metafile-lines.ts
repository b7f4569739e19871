import type { Sha256 } from '#domain/digest.ts';

import { ImageError } from '#image/image-error.ts';
import { checkPath, pathLimits } from '#image/path-scan.ts';

// The lines of the image's text files. Grammar: docs/image-format.md.

/** A quote inside is written as `'\''`; every other character stands for itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Four octal digits, setuid, setgid and sticky included. */
function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

export function directoryLine(path: string, mode: number, uid: number, gid: number): string {
  return `${octal(mode)},${uid},${gid},${quoted(path)}`;
}

/** Symlinks have no mode of their own on Linux: always 0777. */
export function symlinkLine(path: string, target: string, uid: number, gid: number): string {
  return `0777,${uid},${gid},${quoted(path)},${quoted(target)}`;
}

/** A regular file as one line of regulars.txt tells it. */
export interface RegularLine {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Number of names of the file in the image. */
  readonly nlink: number;
  readonly sha256: Sha256;
  /** Uncompressed bytes. */
  readonly size: number;
  /** Names the hard-link group, from 1: readers take 0 for none. */
  readonly inode: number | undefined;
  readonly compressed: boolean;
}

export function regularLine(file: RegularLine): string {
  const owner = `${octal(file.mode)},${file.uid},${file.gid}`;
  const tail = `${file.size},${file.inode ?? ''},${file.compressed ? 'zst' : ''}`;
  return `${owner},${file.nlink},${file.sha256},${quoted(file.path)},${tail}`;
}

export function persistentLine(path: string): string {
  return quoted(path);
}

/** Why the format cannot carry an entry with this path, or undefined when it can. */
export function pathProblem(path: string): string | undefined {
  if (/[\n\r]/.test(path)) return 'name holds a line break, which ends a line of the image';
  return pathRefusal(path);
}

/** Why the format cannot carry this symlink, or undefined when it can. */
export function symlinkProblem(path: string, target: string): string | undefined {
  if (/[\n\r]/.test(target)) return 'target holds a line break, which ends a line of the image';
  if (target === '') return 'target is empty';
  if (Buffer.byteLength(target) > pathLimits.pathBytes) return 'target is longer than 4095 bytes';
  // Readers part link and target at the last `','` that does not follow a quote. Quotes and commas at the seam can
  // move that place, so every line is read back the way they do it.
  const seam = /^\d+,\d+,\d+,'(?<link>.+)(?<!')','(?<target>.+)'/su.exec(symlinkLine(path, target, 0, 0));
  const plain = (text: string | undefined): string | undefined => text?.replaceAll("'\\''", "'");
  if (plain(seam?.groups?.['link']) === path && plain(seam?.groups?.['target']) === target) return undefined;
  return "quotes or commas where link and target meet: readers could not tell the two apart (a link's name must not end in ', its target must not begin with ,')";
}

/** Refuses a persistent path that existing readers would misread: they do not undo the escaping of quotes. */
export function checkPersistent(path: string): void {
  const reason = /['\n\r]/.test(path) ? 'it holds a quote or a line break' : pathRefusal(path);
  if (reason !== undefined) {
    throw new ImageError(
      'options_invalid',
      `persistent ${JSON.stringify(path)} cannot be written: ${reason}`,
    );
  }
}

function pathRefusal(path: string): string | undefined {
  try {
    checkPath(path);
    return undefined;
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
}
