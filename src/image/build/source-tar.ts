import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { type Extract as Extraction, extract, type Header } from 'tar-stream';
import { ImageError } from '#image/image-error.ts';
import {
  type ImageSource,
  type Problem,
  type ProblemKind,
  type SourceEntry,
  showBytes,
  textOf,
} from './source.ts';

type Entry = Extraction extends AsyncIterable<infer Each> ? Each : never;

/** What the parser tells of an entry, beyond its own types: its place in the stream, and its PAX records. */
type EntryHeader = Omit<Header, 'linkname' | 'type' | 'pax'> & {
  readonly byteOffset: number;
  readonly type: Header['type'] | null;
  readonly linkname: string | null;
  readonly pax: Readonly<Record<string, string>> | null;
};

/**
 * A tar stream as the source of an image, such as `docker export` writes; gzip or zstd around it is undone. Nothing is
 * unpacked: contents go from the stream into the image.
 */
export function tarSource(stream: AsyncIterable<Uint8Array>): ImageSource {
  return { rereadable: false, entries: (_ignored, signal) => readArchive(stream, signal) };
}

const blockBytes = 512;

async function* readArchive(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<SourceEntry> {
  const { whole, decompressors } = await decompressed(stream);
  // Names are taken as bytes (latin1), because an archive may hold names that are not UTF-8.
  const extraction = extract({ filenameEncoding: 'latin1', allowUnknownFormat: true } as object);
  let received = 0;
  const counter = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => {
      received += chunk.length;
      done(null, chunk);
    },
  });
  // Written against another stream package, whose streams pass for Node's but not by their types.
  const parser = extraction as unknown as NodeJS.WritableStream;
  const feeding = pipeline([whole, ...decompressors, counter, parser], { signal });
  const failed = feeding.catch(() => undefined);
  let end = 0;
  try {
    for await (const entry of extraction) {
      const header = entry.header as Header & EntryHeader;
      end = endOf(header);
      yield* entriesOf(header, entry);
      entry.resume();
    }
    await feeding;
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ImageError) throw cause;
    throw new ImageError('source_unreadable', 'tar stream is broken, cut short, or no tar stream', { cause });
  } finally {
    extraction.destroy();
    await failed;
  }
  // A stream that breaks off between two entries looks whole to the parser; only the zero block at its end tells.
  if (received < end + blockBytes) {
    throw new ImageError('source_unreadable', 'tar stream is cut short: it has no end-of-archive block');
  }
}

/** The stream, and what undoes its compression, told by its first bytes. */
async function decompressed(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ whole: Readable; decompressors: (Gunzip | ZstdDecompress)[] }> {
  const iterator = stream[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 6) {
    const { done, value } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  const whole = Readable.from(replay(head, iterator), { objectMode: false });
  const startsWith = (...magic: number[]): boolean =>
    head.subarray(0, magic.length).equals(Buffer.from(magic));
  if (startsWith(0x1f, 0x8b)) return { whole, decompressors: [createGunzip()] };
  if (startsWith(0x28, 0xb5, 0x2f, 0xfd)) return { whole, decompressors: [createZstdDecompress()] };
  if (startsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a) || startsWith(0x42, 0x5a, 0x68)) {
    throw new ImageError(
      'source_unreadable',
      'tar stream is compressed with xz or bzip2: decompress it first',
    );
  }
  return { whole, decompressors: [] };
}

async function* replay(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  try {
    for (;;) {
      const { done, value } = await rest.next();
      if (done) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}

/** Where the padded content of an entry ends in the stream. */
function endOf({ type, size, byteOffset }: EntryHeader): number {
  return byteOffset + (type === 'directory' ? 0 : Math.ceil(size / blockBytes) * blockBytes);
}

function* entriesOf(header: EntryHeader, content: Entry): Generator<SourceEntry> {
  const name = nameIn(header.name, header.pax?.['path']);
  if (name.text === undefined) {
    yield unfit('names', normalPath(name.shown) ?? name.shown, 'name is not UTF-8');
    return;
  }
  const path = normalPath(name.text);
  if (path === undefined) {
    yield unfit('names', name.shown, 'name holds a ".." part');
  } else if (path !== '/') {
    yield describe(header, content, path);
  }
}

function describe(header: EntryHeader, content: Entry, path: string): SourceEntry {
  const problems: Problem[] = attributesIn(header).map((reason) => ({ kind: 'xattrs', path, reason }));
  const owned = { path, mode: header.mode & 0o7777, ...ownerOf(header, path), problems };
  switch (header.type) {
    case 'directory':
      return { kind: 'directory', ...owned };
    case 'symlink': {
      const target = nameIn(header.linkname ?? '', header.pax?.['linkpath']);
      if (target.text === undefined) return unfit('names', path, 'symlink target is not UTF-8');
      return { kind: 'symlink', target: target.text, ...owned };
    }
    case 'link':
      return linkOf(header, path);
    case 'file':
    case 'contiguous-file':
      if (isSparse(header))
        return unfit('unreadable', path, 'sparse entry: make the archive without sparse files');
      if (isWhiteout(path)) return unfit('whiteouts', path, 'whiteout');
      return { kind: 'regular', content: () => contentOf(content, path), ...owned };
    case 'fifo':
      return unfit('fifos', path, 'named pipe');
    case 'block-device':
      return unfit('devices', path, 'block device');
    case 'character-device':
      // overlayfs notes a removed file as a character device 0/0.
      if (header.devmajor === 0 && header.devminor === 0) return unfit('whiteouts', path, 'whiteout');
      return unfit('devices', path, 'character device');
    case null:
    default:
      throw new ImageError('source_unreadable', `tar entry ${JSON.stringify(path)} is of an unknown type`);
  }
}

async function* contentOf(entry: Entry, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* entry as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new ImageError('source_unreadable', `tar stream is broken or cut short in ${path}`, { cause });
  }
}

function linkOf(header: EntryHeader, path: string): SourceEntry {
  const target = nameIn(header.linkname ?? '', header.pax?.['linkpath']);
  const to = target.text === undefined ? undefined : normalPath(target.text);
  if (to === undefined)
    return unfit('names', path, 'hard link to a name that is not UTF-8 or holds a ".." part');
  return { kind: 'link', path, to };
}

/** A name in a header or GNU long-name block is bytes; in a PAX record the parser has decoded it as UTF-8 already. */
function nameIn(header: string, pax: string | undefined): { text: string | undefined; shown: string } {
  if (pax !== undefined) return { text: pax.includes('\ufffd') ? undefined : pax, shown: pax };
  const bytes = Buffer.from(header, 'latin1');
  const text = textOf(bytes);
  return { text, shown: text ?? showBytes(bytes) };
}

/** `./a//b/`, `/a/b` and `a/b` are all `/a/b`; undefined when the name climbs. */
function normalPath(name: string): string | undefined {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : `/${parts.join('/')}`;
}

/** PAX records override the header's owner, which has room for seven octal digits only (POSIX pax). */
function ownerOf(header: EntryHeader, path: string): { uid: number; gid: number } {
  const uid = Number(header.pax?.['uid'] ?? header.uid);
  const gid = Number(header.pax?.['gid'] ?? header.gid);
  for (const id of [uid, gid]) {
    if (Number.isInteger(id) && id >= 0 && id < 0xffff_ffff) continue;
    throw new ImageError('source_unreadable', `tar entry ${JSON.stringify(path)} has an impossible owner`);
  }
  return { uid, gid };
}

const attributeRecords = /^(?:SCHILY\.xattr\.|SCHILY\.acl\.|LIBARCHIVE\.xattr\.|RHT\.security\.)/;

function attributesIn(header: EntryHeader): string[] {
  const records = Object.keys(header.pax ?? {}).filter((key) => attributeRecords.test(key));
  return records.length === 0
    ? []
    : [`has ${records.map((key) => key.replace(/^\w+\.xattr\./, '')).join(', ')}`];
}

function isSparse(header: EntryHeader): boolean {
  return Object.keys(header.pax ?? {}).some((key) => key.startsWith('GNU.sparse.'));
}

/** Layers of container images note a removed file as `.wh.<name>`. */
function isWhiteout(path: string): boolean {
  return path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.');
}

function unfit(kind: ProblemKind, path: string, reason: string): SourceEntry {
  return { kind: 'other', problem: { kind, path, reason } };
}
