import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Spool } from '#diagnostics/spool/spool.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { smallDisk, smallDiskMissing } from '../../support/small-disk.ts';
import { message, noise, numbersIn, sealedIn } from './spool-contents.ts';
import { spoolOptions } from './spool-options.ts';

describe('the room of the spool', () => {
  it('of one priority is not taken from the others', async (t) => {
    await using spool = await Spool.open(
      spoolOptions(join(await scratchDirectory(t), 'spool'), {
        laneQuotaBytes: { critical: 0, normal: 0, bulk: 20_000 },
        segmentBytes: 4000,
      }),
    );
    for (let n = 0; n < 20; n++) await spool.append('normal', [message(n, noise(1000))]);
    for (let n = 100; n < 150; n++) await spool.append('bulk', [message(n, noise(1000))]);
    const bulk = spool.lanes.find(({ priority }) => priority === 'bulk');
    assert.ok(bulk !== undefined && bulk.bytes <= 20_000, `${bulk?.bytes}`);
    await spool.seal();
    const numbers = await numbersIn(spool);
    for (const n of [...Array(20).keys(), 149]) assert.ok(numbers.includes(n), `${n} is gone`);
    assert.ok(!numbers.includes(100));
  });

  it('is never made by removing what matters more than what comes', async (t) => {
    await using spool = await Spool.open(
      spoolOptions(join(await scratchDirectory(t), 'spool'), { quotaBytes: 30_000 }),
    );
    const criticals: number[] = [];
    for (let n = 0; n < 12; n++)
      if (await spool.append('critical', [message(n, noise(1500))])) criticals.push(n);
    assert.ok(criticals.length > 5);
    const results = await Promise.all(
      [...Array(30).keys()].map((n) => spool.append('bulk', [message(100 + n, noise(1500))])),
    );
    assert.ok(results.includes(false));
    assert.ok(spool.counts.dropped > 0);
    const numbers = await numbersIn(spool);
    assert.deepEqual(
      criticals.filter((n) => n >= 4 && !numbers.includes(n)),
      [],
    );
  });

  it('is not made from the critical segments of the update that is under way, over a restart too', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const options = spoolOptions(directory, { quotaBytes: 40_000 });
    {
      await using spool = await Spool.open(options);
      await spool.append('critical', [message(0, noise(1000))]);
      await spool.updateUnderWay(true);
      await spool.append('critical', [message(1, noise(1000))]);
    }
    await using spool = await Spool.open(options);
    for (let n = 2; n < 40; n++) await spool.append('critical', [message(n, noise(2000))]);
    let numbers = await numbersIn(spool);
    assert.ok(!numbers.includes(0) && numbers.includes(1), numbers.join());
    await spool.updateUnderWay(false);
    for (let n = 40; n < 80; n++) await spool.append('critical', [message(n, noise(2000))]);
    await spool.seal();
    numbers = await numbersIn(spool);
    assert.ok(!numbers.includes(1) && numbers.includes(79), numbers.join());
  });
});

async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!what()) {
    assert.ok(performance.now() < end, 'not within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('a disk that takes nothing', { skip: smallDiskMissing() }, () => {
  it('from the start costs what memory does not hold, and is used as soon as it lets us', async (t) => {
    const disk = await smallDisk(t, 1024);
    disk.remount('ro');
    const told: string[] = [];
    const log = { info() {}, warn() {}, error: (_: object, line: string) => void told.push(line) };
    await using spool = await Spool.open(spoolOptions(join(disk.path, 'spool'), { memoryBytes: 4000, log }));
    const stored = [...Array(60).keys()].map((n) => spool.append('bulk', [message(n, noise(200))]));
    const critical = spool.append('critical', [message(99)]);
    await until(() => spool.counts.dropped > 0);
    assert.equal(spool.shelf, undefined);
    assert.equal(told.length, 1);
    disk.remount('rw');
    assert.equal(await critical, true);
    const results = await Promise.all(stored);
    assert.equal(results[0], false);
    assert.equal(results.at(-1), true);
    await spool.seal();
    const numbers = await numbersIn(spool);
    assert.equal(numbers.length, results.filter(Boolean).length + 1);
    assert.equal(spool.counts.dropped, results.filter((one) => !one).length);
  });

  it('meanwhile loses nothing that was acknowledged before', async (t) => {
    const disk = await smallDisk(t, 1024);
    await using spool = await Spool.open(spoolOptions(join(disk.path, 'spool'), { memoryBytes: 100_000 }));
    for (let n = 0; n < 5; n++) assert.equal(await spool.append('bulk', [message(n)]), true);
    // A file that is open for writing keeps a disk from becoming read-only.
    await spool.seal();
    disk.remount('ro');
    const later = [5, 6, 7].map((n) => spool.append('bulk', [message(n)]));
    await until(() => spool.counts.waiting === 3);
    assert.deepEqual(await numbersIn(spool), [0, 1, 2, 3, 4]);
    disk.remount('rw');
    assert.deepEqual(await Promise.all(later), [true, true, true]);
    await spool.seal();
    assert.deepEqual(await numbersIn(spool), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('because it is full gives room to what is critical, at the cost of what is not', async (t) => {
    const disk = await smallDisk(t, 400);
    await using spool = await Spool.open(
      spoolOptions(join(disk.path, 'spool'), { segmentBytes: 8000, memoryBytes: 2000 }),
    );
    for (let n = 0; spool.counts.dropped === 0; n++) {
      void spool.append('bulk', [message(n, noise(800))]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const before = sealedIn(spool).filter(({ priority }) => priority === 'bulk').length;
    assert.ok(before > 10);
    for (let n = 1000; n < 1010; n++)
      assert.equal(await spool.append('critical', [message(n, noise(800))]), true);
    const numbers = await numbersIn(spool);
    for (let n = 1000; n < 1010; n++) assert.ok(numbers.includes(n));
    assert.ok(sealedIn(spool).filter(({ priority }) => priority === 'bulk').length < before);
  });
});
