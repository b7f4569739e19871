import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import {
  readContainer,
  readContainerBlock,
  readContainerHeader,
  writeContainerBlock,
  writeContainerHeader,
} from '#diagnostics/messages/container.ts';
import { messageOfSchema } from '#diagnostics/messages/header-schema.ts';
import { MessageError, type MessageErrorCode } from '#diagnostics/messages/message-error.ts';
import { messageNames, schemaText } from '#diagnostics/messages/schemas.ts';
import type { MessageSequence } from '#diagnostics/messages/types.ts';

const samples = join(import.meta.dirname, '../samples');
const sync = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

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

describe('a container file', () => {
  const header = { name: 'MessageSequence', codec: 'deflate', metadata: { 'ts.unit': 'us' }, sync } as const;

  it('comes back with each codec', () => {
    for (const codec of ['null', 'deflate', 'zstandard'] as const) {
      const bytes = encodeMessage('MessageSequence', golden);
      const file = Buffer.concat([
        writeContainerHeader({ ...header, codec }),
        writeContainerBlock([bytes, bytes], { codec, sync }),
        writeContainerBlock([bytes], { codec, sync }),
      ]);
      const read = readContainer(file);
      assert.deepEqual(read.header, { ...header, codec });
      assert.deepEqual([...read.messages], [golden, golden, golden]);
    }
  });

  it('of the prototype is read, and its header is written on request', () => {
    const file = readFileSync(join(samples, 'prototype.avro'));
    const { header: read, messages } = readContainer(file);
    assert.equal(read.name, 'MessageSequence');
    const [sequence] = messages as Generator<MessageSequence>;
    assert.equal(sequence?.seq.length, 2);
    const { end } = readContainerHeader(file);
    const written = writeContainerHeader(
      { name: 'MessageSequence', codec: 'null', metadata: {}, sync: read.sync },
      { prototype: true },
    );
    assert.equal(written.subarray(6).toString('hex'), file.subarray(6, end).toString('hex'));
  });

  it('of others is read when its schema means one of ours', () => {
    const file = readFileSync(join(samples, 'our_null.avro'));
    assert.ok([...readContainer(file).messages].length > 0);
  });

  it('of the prototype is read for every message, and with attributes that mean nothing', () => {
    for (const name of messageNames) {
      const written = writeContainerHeader({ name, codec: 'null', metadata: {}, sync }, { prototype: true });
      assert.equal(readContainerHeader(written).name, name);
    }
    const told = { name: 'MessageSequence', type: 'record', doc: 'Bulk', aliases: ['Old'] };
    const bare = { ...told, fields: [{ doc: 'd', name: 'seq', type: { type: 'array', items: 'Message' } }] };
    assert.equal(messageOfSchema(JSON.stringify(bare)), 'MessageSequence');
    const full = { ...(JSON.parse(schemaText('MessageSequence')) as object), ...told };
    assert.equal(messageOfSchema(JSON.stringify(full)), 'MessageSequence');
  });

  it('keeps metadata whatever its keys are called', () => {
    const metadata = { 'vehicle.id': 'ä', ['__proto__']: 'x', constructor: 'y' };
    const { metadata: read } = readContainerHeader(writeContainerHeader({ ...header, metadata }));
    assert.deepEqual(Object.entries(read), Object.entries(metadata));
  });

  it('with a schema that is none of ours is refused without use of it', () => {
    const text = (n: number): string => `A${n}`;
    const foreign: readonly unknown[] = [
      'null',
      5,
      { type: 'fixed', name: 'F', size: 2_000_000_000 },
      { type: 'enum', name: 'E', symbols: Array.from({ length: 4000 }, (_, n) => text(n)) },
      { type: 'record', name: 'MessageSequence', fields: [{ name: 'seq', type: 'MessageSequence' }] },
      { type: 'record', name: 'Empty', fields: [] },
      { type: 'array', items: 'null' },
      // One field too many, another order, another type.
      { ...(JSON.parse(schemaText('Value')) as object), fields: [] },
      JSON.parse(schemaText('TimeStampedRecord').replace('"long"', '"int"')),
    ];
    for (const schema of foreign) {
      assert.throws(() => messageOfSchema(JSON.stringify(schema)), failsWith('unknown_schema'));
    }
    for (const deep of [
      '['.repeat(30_000) + ']'.repeat(30_000),
      `${'{"type":'.repeat(7000)}1${'}'.repeat(7000)}`,
    ]) {
      assert.throws(() => messageOfSchema(deep), failsWith('unknown_schema'));
    }
    assert.throws(() => messageOfSchema('{'), failsWith('malformed'));
    assert.throws(() => messageOfSchema(' '.repeat(100_000)), failsWith('too_large'));
  });

  it('with another schema or codec is refused by name', () => {
    const other = Buffer.concat([Buffer.from('Obj\x01\x02\x16avro.schema\x0a"int"\x00', 'latin1'), sync]);
    assert.throws(() => readContainer(other), failsWith('unknown_schema'));
    const text = writeContainerHeader(header).toString('latin1').replace('deflate', 'bzip222');
    assert.throws(() => readContainer(Buffer.from(text, 'latin1')), failsWith('unknown_codec'));
  });

  it('that was cut anywhere gives exactly its whole blocks', () => {
    const head = writeContainerHeader(header);
    const blocks = [1, 2, 3].map((n) =>
      writeContainerBlock(Array(n).fill(encodeMessage('MessageSequence', golden)) as Buffer[], header),
    );
    const file = Buffer.concat([head, ...blocks]);
    const ends = [head.length];
    for (const block of blocks) ends.push((ends.at(-1) ?? 0) + block.length);
    for (let length = head.length; length <= file.length; length++) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(40)]) {
        const damaged = Buffer.concat([file.subarray(0, length), tail]);
        let at = head.length;
        let whole = 0;
        try {
          for (;;) {
            const block = readContainerBlock(damaged, at, header);
            if (block === undefined) break;
            at = block.end;
            whole++;
          }
        } catch (error) {
          assert.ok(failsWith('malformed')(error), String(error));
        }
        assert.equal(whole, ends.filter((end) => end <= length).length - 1, `cut at ${length}`);
      }
    }
    for (let length = 0; length < head.length; length++) {
      assert.throws(() => readContainerHeader(file.subarray(0, length)), MessageError);
    }
  });

  it('that unpacks to more than the limit is refused', () => {
    const bytes = encodeMessage('Value', { item: { string: 'x'.repeat(100_000) } });
    const file = Buffer.concat([
      writeContainerHeader({ ...header, name: 'Value' }),
      writeContainerBlock([bytes], header),
    ]);
    assert.throws(() => [...readContainer(file, { blockBytes: 50_000 }).messages], failsWith('too_large'));
  });

  it('that announces more than it has is refused before it costs anything', () => {
    const head = writeContainerHeader({ ...header, codec: 'null' });
    const long = (value: bigint): Buffer => {
      const bytes: number[] = [];
      for (let rest = value << 1n; ; rest >>= 7n) {
        if (rest < 0x80n) {
          bytes.push(Number(rest));
          return Buffer.from(bytes);
        }
        bytes.push(Number(rest & 0x7fn) | 0x80);
      }
    };
    const block = (count: bigint, data: Buffer, size = BigInt(data.length)): Buffer =>
      Buffer.concat([head, long(count), long(size), data, sync]);
    const one = Buffer.from([0]);
    const wrong: readonly (readonly [Buffer, MessageErrorCode])[] = [
      [block(2n ** 40n, one), 'malformed'],
      [block(2n ** 62n, Buffer.alloc(0)), 'malformed'],
      [block(1n, one, 2n ** 50n), 'too_large'],
      [block(1n, Buffer.alloc(2)), 'malformed'],
      [Buffer.concat([Buffer.from('Obj\x01', 'latin1'), long(2n ** 40n)]), 'malformed'],
      [Buffer.concat([Buffer.from('Obj\x01', 'latin1'), long(1n), long(2n ** 40n)]), 'malformed'],
    ];
    const before = process.memoryUsage().rss;
    for (const [file, code] of wrong) assert.throws(() => [...readContainer(file).messages], failsWith(code));
    // Twice the limit once unpacked, a few kilobytes before.
    const bomb = deflateRawSync(Buffer.alloc(128 * 1024 * 1024), { level: 9 });
    for (const codec of ['deflate', 'zstandard'] as const) {
      const data = codec === 'deflate' ? bomb : zstdCompressSync(Buffer.alloc(128 * 1024 * 1024));
      const file = Buffer.concat([
        writeContainerHeader({ ...header, codec }),
        long(1n),
        long(BigInt(data.length)),
        data,
        sync,
      ]);
      assert.throws(() => [...readContainer(file).messages], failsWith('too_large'));
    }
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 1024 * 1024 * 1024, `${grown} bytes more`);
  });
});
