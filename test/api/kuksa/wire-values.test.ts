import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { datatypeFromWire, datatypeToWire } from '#api/kuksa/datatypes.ts';
import { readingFromWire, valueToWire } from '#api/kuksa/wire-values.ts';
import { type VssDatatype, type VssValue, vssScalarTypes } from '#diagnostics/messages/vss-value.ts';
import { type DataType, type Value, ValueSchema } from '#gen/kuksa/val/v2/types_pb.ts';
import { SubscribeResponseSchema } from '#gen/kuksa/val/v2/val_pb.ts';

/** The least and the greatest of each datatype, and what they may not be. */
const edges: readonly (readonly [VssDatatype, readonly VssValue[]])[] = [
  ['string', ['', 'héllo']],
  ['boolean', [true, false]],
  ['int8', [-128, 127]],
  ['int16', [-32768, 32767]],
  ['int32', [-2147483648, 2147483647]],
  ['int64', [-9223372036854775808n, 9223372036854775807n]],
  ['uint8', [0, 255]],
  ['uint16', [0, 65535]],
  ['uint32', [0, 4294967295]],
  ['uint64', [0n, 18446744073709551615n]],
  ['float', [12.5, -0, Number.POSITIVE_INFINITY]],
  ['double', [0.1, Number.MAX_VALUE]],
];

function overTheWire(datatype: VssDatatype, value: VssValue): Value {
  return fromBinary(ValueSchema, toBinary(ValueSchema, create(ValueSchema, valueToWire(datatype, value))));
}

describe('values of the databroker', () => {
  it('are read from the bytes that its own protobuf text makes', () => {
    const golden = '0a230a0d56656869636c652e537065656412120a080880ab9ad806100512068d0100004841';
    const { entries } = fromBinary(SubscribeResponseSchema, Buffer.from(golden, 'hex'));
    const point = entries['Vehicle.Speed'];
    assert.deepEqual(Object.keys(entries), ['Vehicle.Speed']);
    assert.deepEqual([point?.timestamp?.seconds, point?.timestamp?.nanos], [1_795_593_600n, 5]);
    assert.deepEqual(readingFromWire('float', point?.value), { kind: 'value', value: 12.5 });
    const written = toBinary(
      SubscribeResponseSchema,
      create(SubscribeResponseSchema, {
        entries: {
          'Vehicle.Speed': {
            timestamp: { seconds: 1_795_593_600n, nanos: 5 },
            value: create(ValueSchema, valueToWire('float', 12.5)),
          },
        },
      }),
    );
    assert.equal(Buffer.from(written).toString('hex'), golden);
  });

  it('of every datatype go both ways exactly, alone and in arrays', () => {
    assert.equal(edges.length, vssScalarTypes.length);
    for (const [datatype, values] of edges) {
      for (const value of values) {
        const back = readingFromWire(datatype, overTheWire(datatype, value));
        assert.deepEqual(back, { kind: 'value', value }, datatype);
      }
      for (const array of [values, []] as VssValue[]) {
        const type = `${datatype}[]` as VssDatatype;
        assert.deepEqual(
          readingFromWire(type, overTheWire(type, array)),
          { kind: 'value', value: array },
          type,
        );
      }
    }
  });

  it('of any other datatype are refused', () => {
    const all = edges.flatMap(([datatype]) => [datatype, `${datatype}[]` as VssDatatype]);
    const sameMember = (a: VssDatatype, b: VssDatatype): boolean =>
      valueToWire(a, sampleOf(a)).typedValue?.case === valueToWire(b, sampleOf(b)).typedValue?.case;
    for (const said of all) {
      for (const is of all) {
        const reading = readingFromWire(is, overTheWire(said, sampleOf(said)));
        if (!sameMember(said, is)) assert.equal(reading.kind, 'refused', `${said} as ${is}`);
      }
    }
    for (const [as, value] of [
      ['int8', 128],
      ['int16', -32769],
    ] as const)
      assert.equal(readingFromWire(as, overTheWire('int32', value)).kind, 'refused');
    for (const [as, value] of [
      ['uint8', 256],
      ['uint16', 65536],
    ] as const)
      assert.equal(readingFromWire(as, overTheWire('uint32', value)).kind, 'refused');
    assert.equal(readingFromWire('uint8[]', overTheWire('uint32[]', [1, 256])).kind, 'refused');
    for (const type of ['float', 'double'] as const) {
      assert.equal(readingFromWire(type, overTheWire(type, Number.NaN)).kind, 'refused');
      assert.equal(readingFromWire(`${type}[]`, overTheWire(`${type}[]`, [1, Number.NaN])).kind, 'refused');
    }
  });

  it('that are not there are absent', () => {
    assert.deepEqual(readingFromWire('float', undefined), { kind: 'absent' });
    assert.deepEqual(readingFromWire('float', create(ValueSchema)), { kind: 'absent' });
  });

  it('have the numbers of datatypes that brokers use', () => {
    assert.deepEqual(
      (
        ['string', 'boolean', 'int8', 'uint64', 'float', 'double', 'string[]', 'uint8[]', 'double[]'] as const
      ).map(datatypeToWire),
      [1, 2, 3, 10, 11, 12, 20, 26, 31],
    );
    for (const unusable of [0, 13, 32, 99]) assert.equal(datatypeFromWire(unusable as DataType), undefined);
  });
});

function sampleOf(datatype: VssDatatype): VssValue {
  const item = datatype.replace('[]', '');
  const value = edges.find(([type]) => type === item)?.[1][0] ?? '';
  return datatype.endsWith('[]') ? [value as string] : value;
}
