import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Sha256 } from '#domain/digest.ts';
import { type Arrival, ArrivalLog } from '#update/arrival-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

function arrival(text: string, encoding: Arrival['encoding'] = 'identity'): Arrival {
  const bytes = Buffer.from(text);
  return { sha256: createHash('sha256').update(bytes).digest('hex') as Sha256, encoding, bytes };
}

async function leftIn(directory: string): Promise<string[]> {
  await using log = await ArrivalLog.open(directory);
  const found: string[] = [];
  for await (const { arrival: left, ticket } of log.leftovers()) {
    found.push(`${left.encoding} ${Buffer.from(left.bytes).toString()}`);
    assert.equal(left.sha256, arrival(Buffer.from(left.bytes).toString()).sha256);
    await log.placed(ticket);
  }
  return found;
}

describe('ArrivalLog', () => {
  it('gives what was kept and not placed to the next run, once', async (t) => {
    const directory = await scratchDirectory(t);
    const log = await ArrivalLog.open(directory);
    // As many at a time as downloads end.
    await Promise.all([
      log.keep(arrival('one')),
      log.keep(arrival('two', 'zstd')),
      log.keep(arrival('three')),
    ]);
    await log[Symbol.asyncDispose]();
    assert.deepEqual((await leftIn(directory)).toSorted(), ['identity one', 'identity three', 'zstd two']);
    assert.deepEqual(await leftIn(directory), []);
    assert.deepEqual(await readdir(directory), []);
  });

  it('passes over a record that was cut short, and what comes before it stays', async (t) => {
    const directory = await scratchDirectory(t);
    const log = await ArrivalLog.open(directory);
    await log.keep(arrival('whole'));
    await log.keep(arrival('cut short'));
    await log[Symbol.asyncDispose]();
    const [name = ''] = await readdir(directory);
    const { size } = await stat(join(directory, name));
    await truncate(join(directory, name), size - 1);
    assert.deepEqual(await leftIn(directory), ['identity whole']);
  });

  it('takes up little disk however much goes through it', async (t) => {
    const directory = await scratchDirectory(t);
    await using log = await ArrivalLog.open(directory);
    const large = arrival('x'.repeat(1_000_000));
    for (let i = 0; i < 30; i++) await log.placed(await log.keep(large));
    let bytes = 0;
    for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
    assert.ok(bytes < 12_000_000, `${bytes} bytes`);
  });
});
