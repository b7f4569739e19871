import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import { readContainer, writeContainerBlock, writeContainerHeader } from '#diagnostics/messages/container.ts';
import type { MessageSequence, Scalar, Value } from '#diagnostics/messages/types.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

// Both directions against two implementations that share no code with ours: Apache Avro for Python and for C.

const timeout = 20_000;

function pythonAvroMissing(): string | false {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import avro.datafile'], { timeout, stdio: 'ignore' });
    return false;
  } catch {
    return 'needs python3-avro';
  }
}

/** A generator of numbers that is the same in every run. */
class Random {
  #state: bigint;
  constructor(seed: number) {
    this.#state = BigInt(seed) | 1n;
  }
  next(below: number): number {
    this.#state = BigInt.asUintN(64, this.#state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number((this.#state >> 33n) % BigInt(below));
  }
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.next(items.length)] ?? items[0];
  }
}

function scalar(random: Random): Scalar {
  return random.pick<() => Scalar>([
    () => ({ int: random.pick([0, -1, 2 ** 31 - 1, -(2 ** 31), random.next(1000)]) }),
    () => ({
      long: random.pick([0n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, BigInt(random.next(1e9))]),
    }),
    () => ({ float: random.pick([0, -0, 0.5, -1.25, Math.fround(0.1), Infinity, NaN]) }),
    () => ({ double: random.pick([0, -0, 0.1, 1e300, 5e-324, -Infinity, random.next(1e6) / 7]) }),
    () => ({ string: random.pick(['', 'ON', 'ä😀', 'x'.repeat(random.next(200)), '"\\\u0000\n']) }),
    () => ({ boolean: random.next(2) === 1 }),
  ])();
}

function value(random: Random): Value {
  if (random.next(4) > 0) return { item: scalar(random) };
  return { item: { array: Array.from({ length: random.next(6) }, () => scalar(random)) } };
}

function sequence(random: Random): MessageSequence {
  const ts = (): bigint => 1_795_593_600_000_000n + BigInt(random.next(1e9));
  const record = () => ({ signal_identifier: `Vehicle.S${random.next(50)}`, ts: ts(), value: value(random) });
  const item = (): MessageSequence['seq'][number]['item'] => {
    const length = random.next(5);
    switch (random.next(3)) {
      case 0:
        return { SpecifiedTimeStampedRecord: record() };
      case 1: {
        const items = Array.from({ length }, () => ({ ts: ts(), value: value(random) }));
        return { TimeSeries: { signal_identifier: 'Vehicle.Speed', count: length, items } };
      }
      default: {
        const values = Array.from({ length }, record);
        return { Snapshot: { count: length, timeperiod: { start: ts(), end: ts() }, values } };
      }
    }
  };
  return { seq: Array.from({ length: random.next(8) }, () => ({ item: item() })) };
}

/** Walks what Python read and tells every value in a form that both sides write alike. */
const reader = `
import json, struct, sys
from avro.datafile import DataFileReader, DataFileWriter
from avro.io import DatumReader, DatumWriter
rows = []
def number(v):
    if isinstance(v, bool): return "b%d" % v
    if isinstance(v, int): return "i%d" % v
    if isinstance(v, float): return "f" + struct.pack(">d", v).hex()
    return "s" + v.encode().hex()
def walk(v):
    if isinstance(v, dict):
        for key in v: walk(v[key])
    elif isinstance(v, list):
        rows.append("[%d" % len(v))
        for item in v: walk(item)
    else: rows.append(number(v))
reader = DataFileReader(open(sys.argv[1], "rb"), DatumReader())
messages = list(reader)
for m in messages: walk(m)
print(json.dumps(rows))
writer = DataFileWriter(open(sys.argv[2], "wb"), DatumWriter(), reader.datum_reader.writers_schema, codec="deflate")
for m in messages: writer.append(m)
writer.close()
`;

function rowsOf(message: unknown, rows: string[] = []): string[] {
  if (Array.isArray(message)) {
    rows.push(`[${message.length}`);
    for (const item of message) rowsOf(item, rows);
  } else if (typeof message === 'object' && message !== null) {
    for (const [key, item] of Object.entries(message)) {
      if (key === 'float' || key === 'double') {
        const bytes = Buffer.alloc(8);
        bytes.writeDoubleBE(item as number);
        rows.push(`f${bytes.toString('hex')}`);
      } else rowsOf(item, rows);
    }
  } else if (typeof message === 'boolean') rows.push(`b${Number(message)}`);
  else if (typeof message === 'string') rows.push(`s${Buffer.from(message).toString('hex')}`);
  else rows.push(`i${message as number | bigint}`);
  return rows;
}

/** A row as it is after a way through 32-bit floats. */
function rough(row: string): string {
  if (row.startsWith('i')) return String(Math.fround(Number(row.slice(1))) + 0);
  if (!row.startsWith('f')) return row;
  return String(Math.fround(Buffer.from(row.slice(1), 'hex').readDoubleBE()) + 0);
}

const sync = Buffer.from('8d1f00aa33445566778899aabbccdd01', 'hex');

function container(messages: readonly MessageSequence[], codec: 'null' | 'deflate'): Buffer {
  const header = { name: 'MessageSequence', codec, metadata: { 'vehicle.id': 'test' }, sync } as const;
  const blocks = messages.map((message) =>
    writeContainerBlock([encodeMessage('MessageSequence', message)], header),
  );
  return Buffer.concat([writeContainerHeader(header), ...blocks]);
}

describe('container files and other implementations', () => {
  for (const codec of ['null', 'deflate'] as const) {
    it(`Apache Avro for Python reads and writes the same (${codec})`, {
      skip: pythonAvroMissing(),
    }, async (t) => {
      const directory = await scratchDirectory(t);
      const random = new Random(codec.length);
      const messages = Array.from({ length: 60 }, () => sequence(random));
      const [ours, theirs] = [join(directory, 'ours.avro'), join(directory, 'theirs.avro')];
      await writeFile(ours, container(messages, codec));
      const printed = execFileSync('/usr/bin/python3', ['-c', reader, ours, theirs], {
        timeout,
        maxBuffer: 1e8,
      });
      const rows = messages.flatMap((message) => rowsOf(message));
      assert.ok(rows.length > 500, `only ${rows.length} values`);
      assert.deepEqual(JSON.parse(printed.toString()), rows);
      // Python takes the last branch that fits, which is a floating one for every number: 64 bits become 53 and less.
      const back = [...readContainer(await readFile(theirs)).messages].flatMap((message) => rowsOf(message));
      assert.deepEqual(back.map(rough), rows.map(rough));
    });
  }

  it('Apache Avro for C reads the same', { skip: missingPrograms('avrocat') }, async (t) => {
    const directory = await scratchDirectory(t);
    const file = join(directory, 'ours.avro');
    const messages = [1, 2, 3].map(
      (n): MessageSequence => ({
        seq: [
          {
            item: {
              SpecifiedTimeStampedRecord: {
                signal_identifier: `Vehicle.S${n}`,
                ts: 1_795_593_600_123_456n,
                value: { item: { long: 2n ** 62n + BigInt(n) } },
              },
            },
          },
        ],
      }),
    );
    await writeFile(file, container(messages, 'deflate'));
    const lines = execFileSync('avrocat', [file], { timeout }).toString().trim().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[2] ?? '', /"Vehicle\.S3".*1795593600123456.*4611686018427387907/);
  });
});
