import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decodeMessage, encodeMessage } from '#diagnostics/messages/codec.ts';
import { crc64, fingerprintOf } from '#diagnostics/messages/fingerprint.ts';
import { MessageError, type MessageErrorCode } from '#diagnostics/messages/message-error.ts';
import { messageNames, schemaText } from '#diagnostics/messages/schemas.ts';
import { decodeSingleObject, encodeSingleObject } from '#diagnostics/messages/single-object.ts';
import type { MessageName, MessageSequence } from '#diagnostics/messages/types.ts';

const samples = join(import.meta.dirname, '../samples');

function failsWith(code: MessageErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof MessageError && error.code === code;
}

/** All branches, the limits of 32 and 64 bits, and the values of the golden bytes. */
const golden: MessageSequence = {
  seq: [
    {
      item: {
        SpecifiedTimeStampedRecord: {
          signal_identifier: 'Vehicle.Speed',
          ts: 1_795_593_600_123_456n,
          value: { item: { float: 12.5 } },
        },
      },
    },
    {
      item: {
        TimeSeries: {
          signal_identifier: 'Vehicle.TraveledDistance',
          count: 3,
          items: [
            { ts: 1_795_593_600_123_456n, value: { item: { int: 2_147_483_647 } } },
            { ts: 1_795_593_600_123_457n, value: { item: { long: 4_294_967_295n } } },
            { ts: 1_795_593_600_123_458n, value: { item: { double: 0.1 } } },
          ],
        },
      },
    },
    {
      item: {
        Snapshot: {
          count: 3,
          timeperiod: { start: 1_795_593_600_123_456n, end: 1_795_593_601_123_456n },
          values: [],
        },
      },
    },
  ],
};

describe('schemas of the messages', () => {
  it('have the fingerprints that every implementation computes for them', () => {
    assert.equal(crc64('"int"').toString(16), '7275d51a3f395c8f');
    const wanted: Record<MessageName, string> = {
      MessageSequence: '55dd9e380d47c945',
      Message: 'ddbc0fb284c09895',
      TimeSeries: 'c3e3e3656143346f',
      Snapshot: '6471af1c50444d03',
      SpecifiedTimeStampedRecord: '8fb7a92bed17afe2',
      TimeStampedRecord: '43aef2137fe71ab5',
      SpecifiedRecord: '1fb22605bfe65863',
      GeospatialRecord: '129363acc39a599f',
      SpecifiedGeospatialRecord: '7d6e72d2133678f0',
      Value: 'd321e66bd9ef5846',
      Record: '2acefe34d4210687',
    };
    assert.deepEqual(Object.keys(wanted).toSorted(), messageNames.toSorted());
    for (const [name, fingerprint] of Object.entries(wanted)) {
      assert.equal(fingerprintOf(name as MessageName).toString(16), fingerprint, name);
    }
    const digest = createHash('sha256').update(schemaText('MessageSequence')).digest('hex');
    assert.equal(digest, '35c161f37ce0ed9650f3e40158845f6e922a1a083f29cf958591075133fed5b7');
  });
});

describe('bytes of a message', () => {
  it('are those of the prototype', () => {
    const message: MessageSequence = {
      seq: [
        {
          item: {
            TimeSeries: {
              signal_identifier: 'Vehicle.Cabin.Temperature',
              count: 2,
              items: [
                { ts: 0n, value: { item: { int: -11 } } },
                { ts: 1n, value: { item: { array: [{ string: 'one' }, { string: 'two' }] } } },
              ],
            },
          },
        },
      ],
    };
    const bytes =
      '02023256656869636c652e436162696e2e54656d70657261747572650404000015020c0408066f6e65080674776f000000';
    assert.equal(encodeMessage('MessageSequence', message).toString('hex'), bytes);
    assert.deepEqual(decodeMessage('MessageSequence', Buffer.from(bytes, 'hex')), message);
  });

  it('keep 64-bit integers exact, in both directions', () => {
    const bytes = readFileSync(join(samples, 'golden.bin'));
    const message = decodeMessage('MessageSequence', bytes);
    assert.deepEqual(message.seq.slice(0, 2), golden.seq.slice(0, 2));
    const [, , last] = message.seq;
    assert.ok(last !== undefined && 'Snapshot' in last.item);
    assert.deepEqual(last.item.Snapshot.values.at(-1)?.value, { item: { long: -(2n ** 63n) } });
    assert.deepEqual(encodeMessage('MessageSequence', message), bytes);
  });

  it('carry well-formed text only', () => {
    const record = { signal_identifier: 'a\ud800b', value: { item: { array: [{ string: '\udc00' }] } } };
    const back = decodeMessage('SpecifiedRecord', encodeMessage('SpecifiedRecord', record));
    assert.deepEqual(back, { signal_identifier: 'a�b', value: { item: { array: [{ string: '�' }] } } });
  });

  it('are refused for what does not fit, with the place', () => {
    for (const item of [{ int: 2 ** 31 }, { long: 2n ** 63n }, { int: 1.5 }, { float: 'x' }, {}]) {
      assert.throws(
        () => encodeMessage('Value', { item } as never),
        (error) => failsWith('invalid_value')(error) && /item/.test((error as Error).message),
      );
    }
  });

  it('are never read past their end, whatever was cut off or follows', () => {
    const bytes = readFileSync(join(samples, 'golden.bin'));
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(
        () => decodeMessage('MessageSequence', bytes.subarray(0, length)),
        failsWith('malformed'),
      );
    }
    const longer = Buffer.concat([bytes, Buffer.from([0])]);
    assert.throws(() => decodeMessage('MessageSequence', longer), failsWith('malformed'));
  });

  it('cost no more than their length when they are hostile', () => {
    const huge = [
      // An array of 2^62 items; one of 2^40 with nothing behind it; a text of 2^50 bytes; an endless integer.
      'feffffffffffffff7f',
      '80808080808040',
      '0200808080808080808001',
      'ffffffffffffffffffffff',
    ];
    for (const hex of huge) {
      assert.throws(() => decodeMessage('MessageSequence', Buffer.from(hex, 'hex')), failsWith('malformed'));
    }
    for (let round = 0; round < 2000; round++) {
      const bytes = readFileSync(join(samples, 'golden.bin'));
      bytes[round % bytes.length] = randomBytes(1)[0] ?? 0;
      try {
        decodeMessage('MessageSequence', bytes);
      } catch (error) {
        assert.ok(failsWith('malformed')(error), String(error));
      }
    }
  });
});

describe('a single object', () => {
  it('tells its schema by fingerprint', () => {
    const record = { ts: 5n, value: { item: { boolean: true } } };
    const bytes = encodeSingleObject('TimeStampedRecord', record);
    assert.equal(bytes.toString('hex').slice(0, 20), 'c301b51ae77f13f2ae43');
    assert.deepEqual(decodeSingleObject(bytes), { name: 'TimeStampedRecord', message: record });
    assert.throws(() => decodeSingleObject(Buffer.alloc(12)), failsWith('malformed'));
    bytes[4] = 0;
    assert.throws(() => decodeSingleObject(bytes), failsWith('unknown_schema'));
  });
});
