import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bitString, boolean, integer, octets, oid, readDer, sequence, time, utf8 } from '#image/der.ts';

const hex = (bytes: Buffer): string => bytes.toString('hex');

describe('DER', () => {
  it('writes each form as X.690 has it', () => {
    assert.equal(hex(boolean(true)), '0101ff');
    assert.equal(hex(integer(Buffer.from([0, 0, 1]))), '020101');
    assert.equal(hex(integer(Buffer.from([0x80]))), '02020080');
    assert.equal(hex(integer(Buffer.alloc(0))), '020100');
    assert.equal(hex(bitString(Buffer.from([0x80]), 7)), '03020780');
    assert.equal(hex(oid('1.2.840.10045.4.3.2')), '06082a8648ce3d040302');
    assert.equal(hex(utf8('é')), '0c02c3a9');
    assert.equal(hex(sequence(boolean(true), octets(Buffer.from([1])))), '30060101ff040101');
  });

  it('writes long lengths', () => {
    assert.equal(hex(octets(Buffer.alloc(127)).subarray(0, 3)), '047f00');
    assert.equal(hex(octets(Buffer.alloc(128)).subarray(0, 3)), '048180');
    assert.equal(hex(octets(Buffer.alloc(65536)).subarray(0, 5)), '0483010000');
  });

  it('writes the year with two digits up to 2049', () => {
    const text = (iso: string): string => time(new Date(iso)).subarray(2).toString();
    assert.equal(text('2049-12-31T23:59:59.999Z'), '491231235959Z');
    assert.equal(text('2050-01-01T00:00:00Z'), '20500101000000Z');
    assert.equal(text('1950-01-01T00:00:00Z'), '500101000000Z');
    assert.equal(text('1949-01-01T00:00:00Z'), '19490101000000Z');
  });

  it('reads what it wrote, and refuses lengths that reach too far', () => {
    const bytes = Buffer.concat([octets(Buffer.alloc(300, 7)), integer(Buffer.from([5]))]);
    assert.deepEqual(
      readDer(bytes).map(({ tag, content }) => [tag, content.length]),
      [
        [4, 300],
        [2, 1],
      ],
    );
    for (const hostile of ['0405010203', '0480', '04', '0487ffffffffffffff', '048400']) {
      assert.throws(() => readDer(Buffer.from(hostile, 'hex')), RangeError, hostile);
    }
  });
});
