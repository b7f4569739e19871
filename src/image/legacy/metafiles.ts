import { isSha256 } from '#domain/digest.ts';
import type { RegularEntry } from '#image/file-table-builder.ts';
import { ImageError } from '#image/image-error.ts';

/** What a line says about a directory. */
export interface DirectoryLine {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface SymlinkLine {
  readonly path: string;
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
}

export interface RegularLine extends RegularEntry {
  /** Extension of the compressed file's name; undefined when the image has the file only as it is. */
  readonly compression: Compression | undefined;
}

/** Both mean Zstandard; existing images use the first. */
export type Compression = 'zst' | 'zstd';

/** The largest id that `chown` can set: -1 means "leave it". */
const maxId = 0xff_ff_ff_fe;

/**
 * Parsers for one line each of the legacy image's text files.
 *
 *     dirs.txt        mode,uid,gid,'path'
 *     symlinks.txt    mode,uid,gid,'path','target'
 *     regulars.txt    mode,uid,gid,links,sha256,'path'[,[size][,[inode][,[compression]]]]
 *     persistents.txt 'path'
 *
 * A quote inside quotes is written `'\''`; everything else, commas included, stands for itself. Where a line can be read
 * that way, it is. Otherwise it is read as existing clients do, who let a path reach to the last quote of the line: some
 * makers did not escape quotes.
 *
 * Errors: ImageError metadata_malformed.
 */
export function parseDirectoryLine(line: string): DirectoryLine {
  const fields = new LeadingFields(line);
  const mode = fields.octal('mode', 0o7777);
  const uid = fields.decimal('uid', maxId);
  const gid = fields.decimal('gid', maxId);
  return { mode, uid, gid, path: quotedToEnd(line, fields.end) };
}

export function parseSymlinkLine(line: string): SymlinkLine {
  const fields = new LeadingFields(line);
  // The mode is read only to see that it is one: a symlink has none of its own on Linux.
  fields.octal('mode', 0o7777);
  const uid = fields.decimal('uid', maxId);
  const gid = fields.decimal('gid', maxId);
  const open = fields.end;
  requireQuote(line, open);
  const split = properSplit(line, open) ?? lenientSplit(line, open);
  if (split === undefined) throw malformed("expected 'path','target' to the end of the line");
  return {
    uid,
    gid,
    path: unescape(line, open + 1, split),
    target: unescape(line, split + 3, line.length - 1),
  };
}

export function parseRegularLine(line: string): RegularLine {
  const fields = new LeadingFields(line);
  const mode = fields.octal('mode', 0o7777);
  const uid = fields.decimal('uid', maxId);
  const gid = fields.decimal('gid', maxId);
  // The number of links on the machine where the image was made; the lines themselves tell what is linked here.
  fields.decimal('number of links', Number.MAX_SAFE_INTEGER);
  const sha256 = fields.text().toLowerCase();
  if (!isSha256(sha256)) throw malformed('field sha256 is not 64 hex digits');
  const open = fields.end;
  requireQuote(line, open);
  let close = properClose(line, open);
  let tail = close === -1 ? null : regularTail.exec(line.slice(close + 1));
  if (tail === null) {
    close = line.lastIndexOf("'");
    tail = close === open ? null : regularTail.exec(line.slice(close + 1));
  }
  if (tail === null) throw malformed("expected 'path' and after it size, inode and compression");
  const [, size = '', inode = '', compression = ''] = tail;
  return {
    mode,
    uid,
    gid,
    sha256,
    path: unescape(line, open + 1, close),
    size: size === '' ? undefined : Number(size),
    inode: inode === '' ? undefined : inode,
    compressed: compression !== '',
    compression: compression === '' ? undefined : (compression as Compression),
  };
}

export function parsePersistentLine(line: string): string {
  return quotedToEnd(line, 0);
}

/** Sizes of 15 digits fit a number exactly; inodes have 64 bits and stay text. */
const regularTail = /^(?:,(\d{0,15})(?:,(\d{0,20})(?:,(zst|zstd)?)?)?)?$/;

/** The unquoted fields at the start of a line, each ended by a comma. */
class LeadingFields {
  readonly #line: string;
  /** Where the next field starts. */
  end = 0;

  constructor(line: string) {
    this.#line = line;
  }

  octal(name: string, max: number): number {
    return this.#number(name, 8, max);
  }

  decimal(name: string, max: number): number {
    return this.#number(name, 10, max);
  }

  text(): string {
    const from = this.end;
    const comma = this.#line.indexOf(',', from);
    if (comma === -1) throw malformed('line ends too early');
    this.end = comma + 1;
    return this.#line.slice(from, comma);
  }

  #number(name: string, radix: number, max: number): number {
    const line = this.#line;
    let at = this.end;
    let value = 0;
    for (; at < line.length; at++) {
      const digit = line.charCodeAt(at) - 0x30;
      if (digit < 0 || digit >= radix) break;
      value = value * radix + digit;
      if (value > max) throw malformed(`field ${name} is too large`);
    }
    if (at === this.end || line.charCodeAt(at) !== 0x2c) throw malformed(`field ${name} is not a number`);
    this.end = at + 1;
    return value;
  }
}

/** Where the quote closes that opened at `open`, when quotes inside are escaped; -1 when it does not. */
function properClose(line: string, open: number): number {
  for (let at = line.indexOf("'", open + 1); at !== -1; at = line.indexOf("'", at + 1)) {
    if (!line.startsWith("\\''", at + 1)) return at;
    at += 3;
  }
  return -1;
}

/** Where the path of a symlink ends, when quotes in it and in its target are escaped. */
function properSplit(line: string, open: number): number | undefined {
  const close = properClose(line, open);
  if (close === -1 || !line.startsWith(",'", close + 1)) return undefined;
  return properClose(line, close + 2) === line.length - 1 ? close : undefined;
}

/** The last `','` that does not follow on a quote, which is where existing clients split. */
function lenientSplit(line: string, open: number): number | undefined {
  if (!line.endsWith("'")) return undefined;
  let split = line.lastIndexOf("','", line.length - 3);
  while (split > open + 1 && line[split - 1] === "'") split = line.lastIndexOf("','", split - 1);
  return split > open + 1 ? split : undefined;
}

function quotedToEnd(line: string, open: number): string {
  requireQuote(line, open);
  if (line.length < open + 2 || !line.endsWith("'"))
    throw malformed('path has no closing quote at the end of the line');
  return unescape(line, open + 1, line.length - 1);
}

function unescape(line: string, from: number, to: number): string {
  const text = line.slice(from, to);
  return text.includes("'") ? text.replaceAll("'\\''", "'") : text;
}

function requireQuote(line: string, at: number): void {
  if (line[at] !== "'") throw malformed('expected a path in single quotes');
}

function malformed(problem: string): ImageError {
  return new ImageError('metadata_malformed', problem);
}
