import avro from 'avsc';
import { checkDatum } from './check-datum.ts';
import { MessageError } from './message-error.ts';
import { messageNames, schemas, schemaText } from './schemas.ts';
import type { MessageName, MessageTypes } from './types.ts';

const { Type, types } = avro;

/** avsc's own `long` is a number and refuses what is not exact. */
const exactLong = types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

/** One registry each: two of the published schemas share a name. */
const codecs: ReadonlyMap<MessageName, avro.Type> = new Map(
  messageNames.map((name) => [
    name,
    Type.forSchema(JSON.parse(schemaText(name)), {
      registry: { long: exactLong },
      wrapUnions: true,
      omitRecordMethods: true,
    }),
  ]),
);

/**
 * The bytes of one message, without any frame around them. Texts that are not well-formed Unicode are made so, since
 * other readers refuse the whole file for them. Errors: MessageError `invalid_value`, which names the place.
 */
export function encodeMessage<Name extends MessageName>(name: Name, message: MessageTypes[Name]): Buffer {
  const codec = codecOf(name);
  const clean = wellFormed(message);
  try {
    return codec.toBuffer(clean);
  } catch (error) {
    throw new MessageError('invalid_value', `not a ${name}: ${firstProblem(codec, clean)}`, { cause: error });
  }
}

/**
 * Reads the bytes of one message. They are checked against the schema first: avsc reads past the end of damaged ones,
 * and an absurd count in them would take all memory. Errors: MessageError `malformed`.
 */
export function decodeMessage<Name extends MessageName>(name: Name, bytes: Uint8Array): MessageTypes[Name] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = checkDatum(schemas[name], buffer, 0);
  if (end !== buffer.length) {
    throw new MessageError('malformed', `${buffer.length - end} bytes follow after a ${name}`);
  }
  return decodeChecked(name, buffer, 0).message;
}

/** Reads a message that `checkDatum` has found good, and tells where it ends. */
export function decodeChecked<Name extends MessageName>(
  name: Name,
  buffer: Buffer,
  offset: number,
): { readonly message: MessageTypes[Name]; readonly end: number } {
  const { value, offset: end } = codecOf(name).decode(buffer, offset);
  return { message: plain(value) as MessageTypes[Name], end };
}

function codecOf(name: MessageName): avro.Type {
  const codec = codecs.get(name);
  if (codec === undefined) throw new MessageError('unknown_schema', `there is no message ${name}`);
  return codec;
}

function firstProblem(codec: avro.Type, value: unknown): string {
  let problem = 'it cannot be written';
  codec.isValid(value, {
    errorHook: (path, found, type) => {
      const shown = typeof found === 'bigint' ? `${found}n` : JSON.stringify(plain(found), showBigint);
      problem = `${path.join('.') || 'the whole'} is ${shown.slice(0, 80)}, which is no ${type.typeName}`;
    },
  });
  return problem;
}

function showBigint(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

/** Objects of avsc have classes of their own; callers get plain ones that compare and print as they look. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copy[key] = plain(item);
  return copy;
}

/** The same value when all its texts are well-formed, which is nearly always. */
function wellFormed<T>(value: T): T {
  if (typeof value === 'string') return (value.isWellFormed() ? value : value.toWellFormed()) as T;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    let changed = false;
    const items = value.map((item: unknown) => {
      const clean = wellFormed(item);
      changed ||= clean !== item;
      return clean;
    });
    return changed ? (items as T) : value;
  }
  let copy: Record<string, unknown> | undefined;
  for (const [key, item] of Object.entries(value)) {
    const clean: unknown = wellFormed(item);
    if (clean !== item) copy = { ...(copy ?? value), [key]: clean };
  }
  return (copy ?? value) as T;
}
