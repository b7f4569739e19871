import type { MessageName } from './types.ts';

type Primitive = 'int' | 'long' | 'float' | 'double' | 'string' | 'boolean';

/** The part of Avro's schema language that the messages use. Records are written out where they are first used. */
export type Schema = Primitive | ArraySchema | RecordSchema | readonly Schema[];
export interface ArraySchema {
  readonly type: 'array';
  readonly items: Schema;
}
export interface RecordSchema {
  readonly name: string;
  readonly type: 'record';
  readonly fields: readonly { readonly name: string; readonly type: Schema }[];
}

function record(name: string, fields: Readonly<Record<string, Schema>>): RecordSchema {
  return {
    name,
    type: 'record',
    fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
  };
}

function array(items: Schema): ArraySchema {
  return { type: 'array', items };
}

/** The order of the branches is the wire format. */
const scalar = ['int', 'long', 'float', 'double', 'string', 'boolean'] as const;
const value = record('Value', { item: [...scalar, array(scalar)] });
const timeStampedRecord = record('TimeStampedRecord', { ts: 'long', value });
const specifiedTimeStampedRecord = record('SpecifiedTimeStampedRecord', {
  signal_identifier: 'string',
  ts: 'long',
  value,
});
const pos = record('GNSSPosition', { lat: 'float', long: 'float', alt: 'float' });
const timeSeries = record('TimeSeries', {
  signal_identifier: 'string',
  count: 'int',
  items: array(timeStampedRecord),
});
const snapshot = record('Snapshot', {
  count: 'int',
  timeperiod: record('Timeperiod', { start: 'long', end: 'long' }),
  values: array(specifiedTimeStampedRecord),
});
const message = record('Message', { item: [specifiedTimeStampedRecord, timeSeries, snapshot] });

/** The schema of every message type, complete: a named type is repeated wherever it is used. */
export const schemas: Readonly<Record<MessageName, RecordSchema>> = {
  Value: value,
  Record: record('VSS.Record', { value: scalar }),
  SpecifiedRecord: record('SpecifiedRecord', { signal_identifier: 'string', value }),
  TimeStampedRecord: timeStampedRecord,
  SpecifiedTimeStampedRecord: specifiedTimeStampedRecord,
  GeospatialRecord: record('GeospatialRecord', { pos, ts: 'long', value }),
  SpecifiedGeospatialRecord: record('GeospatialRecord', {
    signal_identifier: 'string',
    pos,
    ts: 'long',
    value,
  }),
  TimeSeries: timeSeries,
  Snapshot: snapshot,
  Message: message,
  MessageSequence: record('MessageSequence', { seq: array(message) }),
};

export const messageNames = Object.keys(schemas) as readonly MessageName[];

/**
 * The schema as text that every Avro reader takes: each record is defined where it comes first and named after that. It
 * is the Parsing Canonical Form at the same time. @see Avro 1.11 specification, "Parsing Canonical Form for Schemas"
 */
export function schemaText(name: MessageName): string {
  const defined = new Set<string>();
  const once = (schema: Schema): unknown => {
    if (typeof schema === 'string') return schema;
    if (isUnion(schema)) return schema.map(once);
    if (schema.type === 'array') return { type: 'array', items: once(schema.items) };
    if (defined.has(schema.name)) return schema.name;
    defined.add(schema.name);
    const fields = schema.fields.map((field) => ({ name: field.name, type: once(field.type) }));
    return { name: schema.name, type: 'record', fields };
  };
  return JSON.stringify(once(schemas[name]));
}

export function isUnion(schema: Schema): schema is readonly Schema[] {
  return Array.isArray(schema);
}
