import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { ReplaySource } from '#diagnostics/sources/replay/replay-source.ts';
import { MemoryLog } from '../../../support/memory-log.ts';
import { endBeforeRemoval, scratchDirectory } from '../../../support/scratch-directory.ts';

async function replay(
  t: TestContext,
  text: string,
  play: { readonly speed: number; readonly loop?: boolean },
) {
  const file = join(await scratchDirectory(t), 'drive.csv');
  await writeFile(file, text);
  const store = new SignalStore();
  const puts: { readonly value: unknown; readonly ts: bigint; readonly receivedAt: number }[] = [];
  store.subscribe((_, put) => puts.push(put));
  const source = new ReplaySource({
    file,
    loop: false,
    ...play,
    datatypeOf: () => undefined,
    store,
    clock: systemClock,
    log: new MemoryLog(),
  });
  endBeforeRemoval(t, async () => source[Symbol.asyncDispose]());
  source.start();
  return { source, puts, store, file };
}

const hour = 'time,path,value\n0,Vehicle.Speed,1\n1800,Vehicle.Speed,2\n3600,Vehicle.Speed,3\n';

describe('a drive that is played', () => {
  it('as fast as it can be read keeps its own times', async (t) => {
    const { source, puts, store, file } = await replay(t, hour, { speed: 0 });
    await source.played();
    const [first, , last] = puts;
    assert.ok(first !== undefined && last !== undefined);
    assert.equal(last.ts - first.ts, 3_600_000_000n);
    assert.equal(last.receivedAt - first.receivedAt, 3_600_000);
    assert.equal(store.datatypeOf('Vehicle.Speed'), 'double');
    assert.deepEqual(source.state(), {
      name: `replay ${file}`,
      state: 'ended',
      problem: '',
      signals: 1,
      samples: 3,
    });
  });

  it('at a speed takes as long as that, and no less', async (t) => {
    const text = 'time,path,value\n0,Vehicle.Speed,1\n0.4,Vehicle.Speed,2\n0.8,Vehicle.Speed,3\n';
    const began = performance.now();
    const { source, puts } = await replay(t, text, { speed: 2 });
    await source.played();
    assert.ok(performance.now() - began >= 400);
    assert.equal(puts.length, 3);
  });

  it('in a loop begins again, later', async (t) => {
    const { source, puts, store } = await replay(t, hour, { speed: 0, loop: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    store.subscribe(() => {
      if (puts.length >= 10) resolve();
    });
    await promise;
    await source[Symbol.asyncDispose]();
    const times = puts.map(({ ts }) => ts);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => Number(a - b)),
    );
    assert.equal(new Set(times).size, times.length);
  });

  it('is not begun when a line in its middle is wrong', async (t) => {
    const { source, puts } = await replay(t, `${hour}3601,Vehicle.Speed,fast\n`, { speed: 0 });
    await source.played();
    assert.equal(puts.length, 0);
    assert.equal(source.state().state, 'failed');
    assert.match(source.state().problem, /line 5: "fast" is no double/);
  });

  it('waits for nobody when it is to end', async (t) => {
    const { source } = await replay(t, hour, { speed: 1 });
    await source[Symbol.asyncDispose]();
    assert.equal(source.state().problem, '');
  });
});
