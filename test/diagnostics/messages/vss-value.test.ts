import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import type { Value } from '#diagnostics/messages/types.ts';
import {
  fromValue,
  toValue,
  type VssDatatype,
  type VssValue,
  vssDatatype,
} from '#diagnostics/messages/vss-value.ts';

const table: readonly (readonly [VssDatatype, VssValue, Value['item']])[] = [
  ['boolean', true, { boolean: true }],
  ['string', 'ON', { string: 'ON' }],
  ['int8', -128, { int: -128 }],
  ['uint8', 255, { int: 255 }],
  ['int16', -32768, { int: -32768 }],
  ['uint16', 65535, { int: 65535 }],
  ['int32', -(2 ** 31), { int: -(2 ** 31) }],
  ['uint32', 2 ** 32 - 1, { long: 2n ** 32n - 1n }],
  ['int64', -(2n ** 63n), { long: -(2n ** 63n) }],
  ['uint64', 2n ** 63n - 1n, { long: 2n ** 63n - 1n }],
  ['uint64', 2n ** 64n - 1n, { string: '18446744073709551615' }],
  ['float', 0.5, { float: 0.5 }],
  ['double', 0.1, { double: 0.1 }],
  ['string[]', ['P0420', 'U0100'], { array: [{ string: 'P0420' }, { string: 'U0100' }] }],
  ['uint64[]', [1n, 2n ** 64n - 1n], { array: [{ long: 1n }, { string: '18446744073709551615' }] }],
  ['uint8[]', [], { array: [] }],
];

describe('a VSS value', () => {
  it('has one branch for each datatype, and comes back exactly', () => {
    for (const [datatype, value, item] of table) {
      assert.deepEqual(toValue(datatype, value), { item }, datatype);
      assert.deepEqual(fromValue(datatype, { item }), value, datatype);
    }
  });

  it('out of range, or of another type, is refused', () => {
    const wrong: readonly (readonly [VssDatatype, VssValue])[] = [
      ['int8', 128],
      ['uint8', -1],
      ['int16', 40_000],
      ['uint32', 2 ** 32],
      ['int32', 1.5],
      ['int64', 2n ** 63n],
      ['int64', 2 ** 53],
      ['uint64', 2n ** 64n],
      ['float', '1'],
      ['boolean', 1],
      ['string', 1],
      ['string', ['a']],
      ['string[]', 'a'],
      ['uint8[]', [1, 256]],
    ];
    for (const [datatype, value] of wrong) {
      assert.throws(() => toValue(datatype, value), MessageError, `${datatype} ${String(value)}`);
    }
  });

  it('is read from the branches that other writers choose', () => {
    assert.equal(fromValue('float', { item: { double: 0.1 } }), 0.1);
    assert.equal(fromValue('uint32', { item: { int: 7 } }), 7);
    assert.equal(fromValue('int64', { item: { int: 7 } }), 7n);
    assert.throws(() => fromValue('uint8', { item: { long: 256n } }), MessageError);
    assert.throws(() => fromValue('boolean', { item: { int: 1 } }), MessageError);
  });

  it('has no datatype that VSS does not know', () => {
    assert.equal(vssDatatype('uint8[]'), 'uint8[]');
    assert.equal(vssDatatype('Types.Vehicle.Position'), undefined);
  });
});
