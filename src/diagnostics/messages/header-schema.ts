import avro from 'avsc';
import { crc64, fingerprintOf } from './fingerprint.ts';
import { MessageError } from './message-error.ts';
import { isUnion, messageNames, type Schema, schemas, schemaText } from './schemas.ts';
import type { MessageName } from './types.ts';

/** Longer or deeper than any of ours with every attribute that other writers add. */
const maxSchemaChars = 64 * 1024;
const maxDepth = 64;

/**
 * The message that a container header's schema describes: ours with whatever attributes other writers add, or the
 * prototype's, whose headers name types that they do not define. A foreign schema is never used to decode: hostile ones
 * make a reader allocate without end. Errors: MessageError `unknown_schema`, `malformed`.
 */
export function messageOfSchema(text: string): MessageName {
  if (text.length > maxSchemaChars)
    throw new MessageError('too_large', 'the schema of the header is too long');
  const direct = messageNames.find((name) => schemaText(name) === text);
  if (direct !== undefined) return direct;
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (cause) {
    throw new MessageError('malformed', 'the schema of the header is no JSON', { cause });
  }
  if (!isShallow(schema, maxDepth)) {
    throw new MessageError('unknown_schema', 'the schema of the header is nested deeper than any known one');
  }
  const bare = canonical(schema);
  const prototype = messageNames.find((name) => canonical(prototypeSchema(name)) === bare);
  if (prototype !== undefined) return prototype;
  let fingerprint: bigint;
  try {
    const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: true });
    // For schemas like ours this is the Parsing Canonical Form.
    fingerprint = crc64(JSON.stringify(type.schema()));
  } catch (cause) {
    throw new MessageError('unknown_schema', 'the schema of the header is not valid', { cause });
  }
  const same = messageNames.find((name) => fingerprintOf(name) === fingerprint);
  if (same === undefined) {
    throw new MessageError('unknown_schema', 'the schema of the header is none of the known messages');
  }
  return same;
}

/** The schema text that the prototype's writer puts into a header: records that it had loaded before are only named. */
export function prototypeSchemaText(name: MessageName): string {
  return pythonJson(prototypeSchema(name));
}

/** The order of the keys is that of the prototype's files. */
function prototypeSchema(name: MessageName): unknown {
  const { fields } = schemas[name];
  const [space, bare] = schemas[name].name.includes('.')
    ? schemas[name].name.split('.')
    : [undefined, schemas[name].name];
  return {
    type: 'record',
    ...(space === undefined ? {} : { namespace: space }),
    name: bare,
    fields: fields.map((field) => ({ name: field.name, type: named(field.type) })),
  };
}

function named(schema: Schema): unknown {
  if (typeof schema === 'string') return schema;
  if (isUnion(schema)) return schema.map(named);
  if (schema.type === 'array') return { type: 'array', items: named(schema.items) };
  // Has no file of its own.
  if (schema.name !== 'Timeperiod') return schema.name;
  return {
    type: 'record',
    name: schema.name,
    fields: schema.fields.map((field) => ({ name: field.name, type: named(field.type) })),
  };
}

/** As Python writes JSON by default: a space after each comma and colon. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item)}`);
  return `{${entries.join(', ')}}`;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((item) => isShallow(item, depth - 1));
}

/** What tells schemas apart: documentation and other attributes do not. */
const meaningful: ReadonlySet<string> = new Set(['type', 'name', 'namespace', 'fields', 'items']);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([key]) => meaningful.has(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
