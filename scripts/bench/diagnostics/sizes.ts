import { deflateRawSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import type { Message, TimeStampedRecord } from '#diagnostics/messages/types.ts';
import { toValue } from '#diagnostics/messages/vss-value.ts';
import { DatapointSchema, type Value as KuksaValue, ValueSchema } from '#gen/kuksa/val/v2/types_pb.ts';
import { SubscribeResponseSchema } from '#gen/kuksa/val/v2/val_pb.ts';
import { drivePaths, momentOf, timeOf } from './drive.ts';

/** Bytes per value of one way to write the drive. */
export interface Size {
  readonly name: string;
  readonly raw: number;
  readonly deflated: number;
}

/** As many moments as a campaign bundles by default. */
const moments = 50;

/** The same values, as we write them and as others would. */
export function sizes(): readonly Size[] {
  return [
    size('Avro, one TimeSeries per signal', avro()),
    size('JSON, an object per value', json()),
    size('JSON, one series per signal', jsonSeries()),
    size('protobuf, a message per moment', protobuf()),
  ];
}

function size(name: string, bytes: Buffer): Size {
  const count = moments * drivePaths.length;
  return { name, raw: bytes.length / count, deflated: deflateRawSync(bytes).length / count };
}

function avro(): Buffer {
  const series = new Map<string, TimeStampedRecord[]>();
  for (let n = 0; n < moments; n++) {
    for (const { path, kind, value } of momentOf(n)) {
      const record = { ts: BigInt(timeOf(n)) * 1000n, value: toValue(kind, value) };
      series.set(path, [...(series.get(path) ?? []), record]);
    }
  }
  const seq = [...series].map(([signal_identifier, items]): Message => {
    return { item: { TimeSeries: { signal_identifier, count: items.length, items } } };
  });
  return encodeMessage('MessageSequence', { seq });
}

function json(): Buffer {
  const lines: string[] = [];
  for (let n = 0; n < moments; n++) {
    for (const { path, value } of momentOf(n)) lines.push(JSON.stringify({ path, ts: timeOf(n), value }));
  }
  return Buffer.from(lines.join('\n'));
}

function jsonSeries(): Buffer {
  const series = new Map<string, unknown[]>();
  for (let n = 0; n < moments; n++) {
    for (const { path, value } of momentOf(n))
      series.set(path, [...(series.get(path) ?? []), [timeOf(n), value]]);
  }
  return Buffer.from(JSON.stringify(Object.fromEntries(series)));
}

/** As a databroker of KUKSA sends them. */
function protobuf(): Buffer {
  return Buffer.concat(
    Array.from({ length: moments }, (_, n) => {
      const entries = momentOf(n).map(({ path, value }) => {
        const typedValue: KuksaValue['typedValue'] =
          typeof value === 'number'
            ? Number.isInteger(value)
              ? { case: 'uint32', value: value >>> 0 }
              : { case: 'float', value }
            : typeof value === 'boolean'
              ? { case: 'bool', value }
              : { case: 'string', value };
        const point = { timestamp: timestampFromMs(timeOf(n)), value: create(ValueSchema, { typedValue }) };
        return [path, create(DatapointSchema, point)] as const;
      });
      return toBinary(
        SubscribeResponseSchema,
        create(SubscribeResponseSchema, { entries: Object.fromEntries(entries) }),
      );
    }),
  );
}
