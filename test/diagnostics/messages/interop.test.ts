import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import { readContainer, writeContainerBlock, writeContainerHeader } from '#diagnostics/messages/container.ts';
import { messageNames } from '#diagnostics/messages/schemas.ts';
import type { Message, MessageSequence, MessageTypes } from '#diagnostics/messages/types.ts';
import { fromValue, toValue, type VssDatatype, type VssValue } from '#diagnostics/messages/vss-value.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { asReadWithC, pythonAvroMissing, readWithC, readWithPython, rowsOf } from './other-readers.ts';
import { asCarried, type Excluded, Random, randomValue, vssDatatypes } from './random-values.ts';

interface Measured {
  readonly datatype: VssDatatype;
  readonly value: VssValue;
}

/** Values of all datatypes, bundled at random; `values` are in the order of the messages. */
function drive(random: Random, messages: number, excluded: Excluded = {}) {
  const values: Measured[] = [];
  const ts = (): bigint => 1_795_593_600_000_000n + BigInt(random.next(1e9));
  const measure = (datatype: VssDatatype) => {
    const value = randomValue(random, datatype, excluded);
    values.push({ datatype, value });
    return { ts: ts(), value: toValue(datatype, value) };
  };
  const any = (): VssDatatype => vssDatatypes[random.next(vssDatatypes.length)] ?? 'boolean';
  const record = () => ({ signal_identifier: `Vehicle.S${random.next(50)}`, ...measure(any()) });
  const message = (): Message => {
    const count = random.next(5);
    switch (random.next(3)) {
      case 0:
        return { item: { SpecifiedTimeStampedRecord: record() } };
      case 1: {
        const datatype = any();
        const items = Array.from({ length: count }, () => measure(datatype));
        return { item: { TimeSeries: { signal_identifier: 'Vehicle.Speed', count, items } } };
      }
      default: {
        const timeperiod = { start: ts(), end: ts() };
        return { item: { Snapshot: { count, timeperiod, values: Array.from({ length: count }, record) } } };
      }
    }
  };
  const sequences = Array.from({ length: messages }, (): MessageSequence => {
    return { seq: Array.from({ length: random.next(8) }, message) };
  });
  return { sequences, values };
}

const sync = Buffer.from('8d1f00aa33445566778899aabbccdd01', 'hex');

function container<Name extends keyof MessageTypes>(
  name: Name,
  messages: readonly MessageTypes[Name][],
  codec: 'null' | 'deflate',
): Buffer {
  const header = { name, codec, metadata: { 'vehicle.id': 'test' }, sync };
  const blocks = messages.map((message) => writeContainerBlock([encodeMessage(name, message)], header));
  return Buffer.concat([writeContainerHeader(header), ...blocks]);
}

/** Of everything that a file holds, in its order. */
function valuesIn(file: Buffer): readonly MessageTypes['Value'][] {
  const found: MessageTypes['Value'][] = [];
  for (const message of readContainer(file).messages as Iterable<MessageSequence>) {
    for (const { item } of message.seq) {
      if ('TimeSeries' in item) found.push(...item.TimeSeries.items.map(({ value }) => value));
      else if ('Snapshot' in item) found.push(...item.Snapshot.values.map(({ value }) => value));
      else found.push(item.SpecifiedTimeStampedRecord.value);
    }
  }
  return found;
}

/** A row as it is after a way through 32-bit floats. */
function rough(row: string): string {
  if (row.startsWith('i')) return String(Math.fround(Number(row.slice(1))) + 0);
  if (!row.startsWith('f')) return row;
  return String(Math.fround(Buffer.from(row.slice(1), 'hex').readDoubleBE()) + 0);
}

/** One drive that is always the same, and one that never was before: its seed is in what an assertion says. */
const seeds = [1, randomInt(1, 2 ** 31)];

describe('values of every datatype in container files', () => {
  for (const [at, seed] of seeds.entries()) {
    const which = at === 0 ? 'a known drive' : 'a drive never seen before';

    it(`come back exactly (${which})`, () => {
      const { sequences, values } = drive(new Random(seed), 80);
      const back = valuesIn(container('MessageSequence', sequences, 'deflate'));
      assert.equal(back.length, values.length);
      assert.deepEqual(
        new Set(values.map(({ datatype }) => datatype)),
        new Set(vssDatatypes),
        `seed ${seed}`,
      );
      for (const [i, { datatype, value }] of values.entries()) {
        const carried = back[i];
        assert.ok(carried !== undefined);
        // Strict about -0 and NaN.
        assert.deepStrictEqual(fromValue(datatype, carried), asCarried(value), `${datatype}, seed ${seed}`);
      }
    });

    for (const codec of ['null', 'deflate'] as const) {
      it(`are the same for Apache Avro for Python, and so are those it writes (${codec}, ${which})`, {
        skip: pythonAvroMissing(),
      }, async (t) => {
        const directory = await scratchDirectory(t);
        const { sequences } = drive(new Random(seed), 60);
        const [ours, theirs] = [join(directory, 'ours.avro'), join(directory, 'theirs.avro')];
        await writeFile(ours, container('MessageSequence', sequences, codec));
        const rows = [...readContainer(await readFile(ours)).messages].flatMap((message) => rowsOf(message));
        assert.ok(rows.length > 500, `only ${rows.length} values`);
        assert.deepEqual(readWithPython(ours, theirs), rows, `seed ${seed}`);
        // Python takes the last branch that fits, which is a floating one for every number: 64 bits become 53 and less.
        const back = [...readContainer(await readFile(theirs)).messages].flatMap((message) =>
          rowsOf(message),
        );
        assert.deepEqual(back.map(rough), rows.map(rough), `seed ${seed}`);
      });
    }

    it(`are the same for Apache Avro for C (${which})`, { skip: missingPrograms('avrocat') }, async (t) => {
      const file = join(await scratchDirectory(t), 'ours.avro');
      const { sequences } = drive(new Random(seed), 60, { beyondJson: true });
      await writeFile(file, container('MessageSequence', sequences, 'deflate'));
      const ours = [...readContainer(await readFile(file)).messages];
      assert.deepStrictEqual(readWithC(file), ours.map(asReadWithC), `seed ${seed}`);
    });
  }
});

describe('every message type in container files', () => {
  const value = { item: { array: [{ long: 2n ** 62n }, { string: 'ä' }, { double: -0.5 }] } };
  const [signal_identifier, ts] = ['Vehicle.Speed', 1_795_593_600_123_456n];
  const pos = { lat: 48.25, long: -11.5, alt: 520 };
  const record = { signal_identifier, ts, value };
  const one: MessageTypes = {
    Value: value,
    Record: { value: { long: -5n } },
    SpecifiedRecord: { signal_identifier, value },
    TimeStampedRecord: { ts, value },
    SpecifiedTimeStampedRecord: record,
    GeospatialRecord: { pos, ts, value },
    SpecifiedGeospatialRecord: { signal_identifier, pos, ts, value },
    TimeSeries: { signal_identifier, count: 1, items: [{ ts, value }] },
    Snapshot: { count: 1, timeperiod: { start: ts, end: ts }, values: [record] },
    Message: { item: { Snapshot: { count: 0, timeperiod: { start: 0n, end: 1n }, values: [] } } },
    MessageSequence: { seq: [{ item: { SpecifiedTimeStampedRecord: record } }] },
  };

  for (const name of messageNames) {
    it(`is read alike by ours, Python and C: ${name}`, {
      skip: pythonAvroMissing() || missingPrograms('avrocat'),
    }, async (t) => {
      const file = join(await scratchDirectory(t), 'one.avro');
      await writeFile(file, container(name, [one[name]], 'deflate'));
      const { header, messages } = readContainer(await readFile(file));
      assert.equal(header.name, name);
      assert.deepStrictEqual([...messages], [one[name]]);
      assert.deepEqual(readWithPython(file), rowsOf(one[name]));
      assert.equal(readWithC(file).length, 1);
    });
  }
});
