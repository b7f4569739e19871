import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Spool } from '#diagnostics/spool/spool.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { smallDisk, smallDiskMissing } from '../../support/small-disk.ts';
import { message, noise, numbersIn, sealedIn, shelfOf } from './spool-contents.ts';
import { spoolOptions } from './spool-options.ts';

describe('the spool', () => {
  it('keeps what it has acknowledged over an orderly end, in order', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const spool = await Spool.open(spoolOptions(directory));
    const stored = await Promise.all([...Array(50).keys()].map((n) => spool.append('normal', [message(n)])));
    assert.ok(stored.every(Boolean));
    await spool[Symbol.asyncDispose]();
    await using again = await Spool.open(spoolOptions(directory));
    assert.deepEqual(await numbersIn(again), [...Array(50).keys()]);
    assert.equal(again.counts.recovered, 0);
  });

  it('seals by size, and its sequence numbers never repeat', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const sequences: number[] = [];
    for (let life = 0; life < 3; life++) {
      await using spool = await Spool.open(spoolOptions(directory, { segmentBytes: 1500 }));
      for (let n = 0; n < 20; n++) await spool.append('bulk', [message(n)]);
      await spool.seal();
      assert.ok(sealedIn(spool).length > 1);
      for (const segment of sealedIn(spool)) {
        sequences.push(segment.sequence);
        await shelfOf(spool).discard(segment);
      }
    }
    assert.equal(new Set(sequences).size, sequences.length);
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
    );
  });

  it('seals by age', async (t) => {
    await using spool = await Spool.open(
      spoolOptions(join(await scratchDirectory(t), 'spool'), { segmentAgeMs: 50 }),
    );
    const sealed = Promise.withResolvers<void>();
    spool.onSealed(() => sealed.resolve());
    await spool.append('bulk', [message(1)]);
    await sealed.promise;
    assert.equal(sealedIn(spool).length, 1);
  });

  it('keeps every whole block of a segment that was cut off anywhere', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const made = await Spool.open(spoolOptions(directory));
    for (let n = 0; n < 4; n++) await made.append('bulk', [message(n)]);
    await made.seal();
    const [segment] = sealedIn(made);
    assert.ok(segment !== undefined);
    const bytes = await readFile(segment.path);
    await made[Symbol.asyncDispose]();
    let before = -1;
    for (let length = 0; length <= bytes.length; length += 7) {
      for (const zeros of [0, 64]) {
        await rm(segment.path, { force: true });
        await writeFile(
          `${segment.path}.open`,
          Buffer.concat([bytes.subarray(0, length), Buffer.alloc(zeros)]),
        );
        await using spool = await Spool.open(spoolOptions(directory));
        const numbers = await numbersIn(spool);
        assert.deepEqual(numbers, [0, 1, 2, 3].slice(0, numbers.length));
        assert.ok(numbers.length >= before, `cut at ${length}`);
        before = numbers.length;
        assert.ok(!(await readdir(join(directory, 'bulk'))).some((name) => name.endsWith('.open')));
      }
    }
    assert.ok(before >= 3);
  });

  it('removes the oldest of the least priority when it is full', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const options = spoolOptions(directory, { quotaBytes: 40_000, segmentBytes: 4000 });
    await using spool = await Spool.open(options);
    for (let n = 0; n < 10; n++) await spool.append('critical', [message(n, noise(1000))]);
    for (let n = 100; n < 200; n++) await spool.append('bulk', [message(n, noise(1000))]);
    for (let n = 200; n < 210; n++) await spool.append('normal', [message(n, noise(1000))]);
    await spool.seal();
    const numbers = await numbersIn(spool);
    assert.ok(spool.counts.bytes <= 40_000, `${spool.counts.bytes}`);
    assert.ok(spool.counts.evicted > 0);
    for (const n of [...Array(10).keys(), 209]) assert.ok(numbers.includes(n), `${n} is gone`);
    assert.ok(!numbers.includes(100));
    const kinds = sealedIn(spool).map(({ priority }) => priority);
    assert.deepEqual(
      kinds,
      [...kinds].toSorted(
        (a, b) => ['critical', 'normal', 'bulk'].indexOf(a) - ['critical', 'normal', 'bulk'].indexOf(b),
      ),
    );
  });

  it('goes on when the disk takes nothing, counts what it drops, and stores again later', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const told: string[] = [];
    const options = spoolOptions(directory, {
      segmentAgeMs: 30,
      memoryBytes: 300,
      log: { info() {}, warn() {}, error: (_, text) => told.push(text) },
    });
    await using spool = await Spool.open(options);
    await spool.append('bulk', [message(0)]);
    await spool.seal();
    // The lane's directory is gone: every new segment fails, for root too.
    await rename(join(directory, 'bulk'), join(directory, 'away'));
    const results = [...Array(60).keys()].map((n) => spool.append('bulk', [message(n + 1)]));
    assert.equal(await results[0], false);
    assert.ok(spool.counts.dropped > 0);
    assert.equal(told.length, 1);
    await rename(join(directory, 'away'), join(directory, 'bulk'));
    assert.equal(await results[59], true);
    await spool.seal();
    assert.equal((await numbersIn(spool)).at(-1), 60);
  });

  it('survives a disk that is really full', {
    skip: smallDiskMissing(),
  }, async (t) => {
    const { path } = await smallDisk(t, 256);
    const spool = await Spool.open(
      spoolOptions(join(path, 'spool'), { segmentBytes: 8000, memoryBytes: 1000 }),
    );
    const acknowledged: number[] = [];
    for (let n = 0; n < 400; n++) {
      const text = noise(800);
      if (await Promise.race([spool.append('bulk', [message(n, text)]), delay(50, false)]))
        acknowledged.push(n);
      if (spool.counts.dropped > 3) break;
    }
    assert.ok(spool.counts.dropped > 3);
    await spool[Symbol.asyncDispose]();
    await using again = await Spool.open(spoolOptions(join(path, 'spool')));
    const numbers = await numbersIn(again);
    for (const n of acknowledged) assert.ok(numbers.includes(n), `${n} was acknowledged and is gone`);
  });

  it('loses nothing that it acknowledged, and stores nothing twice, whenever it is killed', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const acknowledged: number[] = [];
    let next = 0;
    for (let round = 0; round < 12; round++) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'spool-process.ts'), directory, String(next)],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        // At a moment that differs from round to round, counted in acknowledged messages.
        if (text.split('\n').length > 5 + ((round * 7) % 40)) child.kill('SIGKILL');
      });
      await once(child, 'close');
      const seen = text.split('\n').slice(0, -1).map(Number);
      assert.ok(seen.length > 0);
      acknowledged.push(...seen);
      // The one after the last acknowledged may have been stored too: the next life goes on behind it.
      next = (seen.at(-1) ?? 0) + 2;
    }
    await using spool = await Spool.open(spoolOptions(directory));
    const stored = await numbersIn(spool);
    assert.equal(new Set(stored).size, stored.length, 'something is stored twice');
    assert.deepEqual(
      acknowledged.filter((n) => !stored.includes(n)),
      [],
    );
  });
});
