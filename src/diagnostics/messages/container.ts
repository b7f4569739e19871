import { deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { checkDatum } from './check-datum.ts';
import { decodeChecked } from './codec.ts';
import { messageOfSchema, prototypeSchemaText } from './header-schema.ts';
import { MessageError } from './message-error.ts';
import { schemas, schemaText } from './schemas.ts';
import type { MessageName, MessageTypes } from './types.ts';
import { readLong, writeLong } from './varint.ts';

/** `deflate` is the one that every reader has. */
export type ContainerCodec = 'null' | 'deflate' | 'zstandard';

export interface ContainerHeader {
  readonly name: MessageName;
  readonly codec: ContainerCodec;
  /** Own metadata; keys that begin with `avro.` are the format's. */
  readonly metadata: Readonly<Record<string, string>>;
  /** 16 random bytes that end every block. Zeros would look like the tail that a power cut leaves. */
  readonly sync: Buffer;
}

const magic = Buffer.from([0x4f, 0x62, 0x6a, 0x01]);
const syncBytes = 16;

export interface ContainerLimits {
  /** Largest block, uncompressed. @default 64 MiB */
  readonly blockBytes?: number;
  /** Largest header. @default 1 MiB */
  readonly headerBytes?: number;
}
const defaultLimits = { blockBytes: 64 * 1024 * 1024, headerBytes: 1024 * 1024 };

/**
 * The first bytes of an object container file. With `prototype`, the header has the schema text that the prototype's own
 * reader expects, which no other reader understands. @see Avro 1.11 specification, "Object Container Files"
 */
export function writeContainerHeader(
  header: ContainerHeader,
  { prototype = false }: { readonly prototype?: boolean } = {},
): Buffer {
  const { name, codec, metadata, sync } = header;
  if (sync.length !== syncBytes || sync.every((byte) => byte === 0)) {
    throw new MessageError('invalid_value', 'a sync marker is 16 bytes that are not all zero');
  }
  const reserved = Object.keys(metadata).find((key) => key.startsWith('avro.'));
  if (reserved !== undefined) {
    throw new MessageError('invalid_value', `metadata ${reserved}: keys that begin with avro. are reserved`);
  }
  const schema = prototype ? prototypeSchemaText(name) : schemaText(name);
  const entries = Object.entries({ 'avro.schema': schema, 'avro.codec': codec, ...metadata });
  const parts = [magic, writeLong(entries.length)];
  for (const [key, value] of entries) parts.push(...withLength(key), ...withLength(value));
  return Buffer.concat([...parts, writeLong(0), sync]);
}

function withLength(text: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text, 'utf8');
  return [writeLong(bytes.length), bytes];
}

/** One block of encoded messages, to be appended in one write. */
export function writeContainerBlock(
  messages: readonly Buffer[],
  { codec, sync }: Pick<ContainerHeader, 'codec' | 'sync'>,
): Buffer {
  const data = compress(Buffer.concat(messages), codec);
  return Buffer.concat([writeLong(messages.length), writeLong(data.length), data, sync]);
}

/** Reads the header; `end` is where the first block begins. Errors: MessageError. */
export function readContainerHeader(
  buffer: Buffer,
  { headerBytes }: ContainerLimits = {},
): ContainerHeader & { readonly end: number } {
  if (!buffer.subarray(0, magic.length).equals(magic)) {
    throw new MessageError('malformed', 'not an Avro container file: it does not begin with Obj and 1');
  }
  const head = buffer.subarray(0, headerBytes ?? defaultLimits.headerBytes);
  const all = new Map<string, string>();
  let at = magic.length;
  const text = (): string => {
    const { value, end } = readLong(head, at);
    if (value < 0 || value > head.length - end) {
      throw new MessageError('malformed', `at byte ${at}: a text of the header does not fit into it`);
    }
    at = end + value;
    return head.toString('utf8', end, at);
  };
  for (;;) {
    let { value: count, end } = readLong(head, at);
    at = end;
    if (count === 0) break;
    if (count < 0) {
      count = -count;
      ({ end } = readLong(head, at));
      at = end;
    }
    if (count > head.length - at) throw new MessageError('malformed', `a header of ${count} entries`);
    for (let i = 0; i < count; i++) {
      const key = text();
      all.set(key, text());
    }
  }
  const sync = head.subarray(at, at + syncBytes);
  if (sync.length < syncBytes) throw new MessageError('malformed', 'the header ends too early');
  if (sync.every((byte) => byte === 0)) throw new MessageError('malformed', 'the sync marker is all zero');
  const [schema, codec = 'null'] = [all.get('avro.schema'), all.get('avro.codec')];
  if (schema === undefined) throw new MessageError('malformed', 'the header has no avro.schema');
  return {
    name: messageOfSchema(schema),
    codec: knownCodec(codec),
    metadata: Object.fromEntries([...all].filter(([key]) => !key.startsWith('avro.'))),
    sync: Buffer.from(sync),
    end: at + syncBytes,
  };
}

/** One block of a container file. */
export interface ContainerBlock {
  /** Messages in it. */
  readonly count: number;
  /** Offset of its first byte, and of the byte after its sync marker. */
  readonly start: number;
  readonly end: number;
  /** Uncompressed, and checked against the schema. */
  readonly data: Buffer;
}

/**
 * Reads the block at `start`; undefined at the end of the file. A block is whole or an error: what a power cut left of one
 * is never taken for data. Errors: MessageError `malformed`, `too_large`.
 */
export function readContainerBlock(
  buffer: Buffer,
  start: number,
  header: ContainerHeader,
  { blockBytes = defaultLimits.blockBytes }: ContainerLimits = {},
): ContainerBlock | undefined {
  if (start === buffer.length) return undefined;
  const count = readLong(buffer, start);
  const size = readLong(buffer, count.end);
  const end = size.end + size.value + syncBytes;
  if (count.value <= 0 || size.value < 0) {
    throw new MessageError(
      'malformed',
      `at byte ${start}: a block of ${count.value} messages in ${size.value} bytes`,
    );
  }
  if (size.value > blockBytes) throw new MessageError('too_large', `a block of ${size.value} bytes`);
  if (end > buffer.length) throw new MessageError('malformed', `at byte ${start}: the block ends too early`);
  if (!buffer.subarray(end - syncBytes, end).equals(header.sync)) {
    throw new MessageError('malformed', `at byte ${start}: the block does not end with the sync marker`);
  }
  const data = decompress(buffer.subarray(size.end, end - syncBytes), header.codec, blockBytes);
  let at = 0;
  for (let i = 0; i < count.value; i++) at = checkDatum(schemas[header.name], data, at);
  if (at !== data.length) {
    throw new MessageError('malformed', `at byte ${start}: the block has ${data.length - at} bytes too many`);
  }
  return { count: count.value, start, end, data };
}

/** The messages of a block. */
function* messagesOf<Name extends MessageName>(
  name: Name,
  { count, data }: ContainerBlock,
): Generator<MessageTypes[Name]> {
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { message, end } = decodeChecked(name, data, at);
    at = end;
    yield message;
  }
}

/** A container file that was read into memory. */
export interface Container {
  readonly header: ContainerHeader;
  /** In the order of the file; throws where the file is damaged, after everything that comes before. */
  readonly messages: Generator<MessageTypes[MessageName]>;
}

/** Reads a container file, ours, the prototype's, or any with one of our schemas. Errors: MessageError. */
export function readContainer(buffer: Buffer, limits: ContainerLimits = {}): Container {
  const { end, ...header } = readContainerHeader(buffer, limits);
  function* messages(): Generator<MessageTypes[MessageName]> {
    for (let at = end; ; ) {
      const block = readContainerBlock(buffer, at, header, limits);
      if (block === undefined) return;
      yield* messagesOf(header.name, block);
      at = block.end;
    }
  }
  return { header, messages: messages() };
}

function knownCodec(codec: string): ContainerCodec {
  if (codec === 'null' || codec === 'deflate' || codec === 'zstandard') return codec;
  throw new MessageError('unknown_codec', `codec ${codec}: null, deflate and zstandard are supported`);
}

function compress(data: Buffer, codec: ContainerCodec): Buffer {
  switch (codec) {
    case 'null':
      return data;
    case 'deflate':
      return deflateRawSync(data);
    case 'zstandard':
      return zstdCompressSync(data);
  }
}

/** Never makes more than `maxOutputLength` bytes. */
function decompress(data: Buffer, codec: ContainerCodec, maxOutputLength: number): Buffer {
  if (codec === 'null') return data;
  try {
    return codec === 'deflate'
      ? inflateRawSync(data, { maxOutputLength })
      : zstdDecompressSync(data, { maxOutputLength });
  } catch (cause) {
    const large = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw large
      ? new MessageError('too_large', `a block of more than ${maxOutputLength} bytes`, { cause })
      : new MessageError('malformed', `a block cannot be uncompressed (${codec})`, { cause });
  }
}
