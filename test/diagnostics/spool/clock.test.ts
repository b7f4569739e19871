import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ClockJump, ClockWatch } from '#diagnostics/clock/clock-watch.ts';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { Spool } from '#diagnostics/spool/spool.ts';
import { UploadState } from '#diagnostics/upload/upload-state.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { SetClock } from './set-clock.ts';
import { message, numbersIn, sealedIn } from './spool-contents.ts';
import { spoolOptions } from './spool-options.ts';

const day = 86_400_000;

async function metadataOf(spool: Spool): Promise<Readonly<Record<string, string>>[]> {
  const all = sealedIn(spool).toSorted((a, b) => a.sequence - b.sequence);
  return Promise.all(all.map(async ({ path }) => readContainerHeader(await readFile(path)).metadata));
}

describe('a wall clock that is set', () => {
  for (const jump of [day, -day, 1500]) {
    it(`by ${jump} ms divides what was stored before from what comes after`, async (t) => {
      const clock = new SetClock();
      const jumps: ClockJump[] = [];
      const directory = join(await scratchDirectory(t), 'spool');
      await using spool = await Spool.open(
        spoolOptions(directory, { clock, onClockJump: (one) => jumps.push(one) }),
      );
      const before = clock.wall - clock.monotonic;
      await spool.append('bulk', [message(0)]);
      clock.wall += jump;
      await spool.append('bulk', [message(1)]);
      await spool.append('normal', [message(2)]);
      clock.pass(day);
      await spool.append('bulk', [message(3)]);
      await spool.seal();
      const segments = await metadataOf(spool);
      const told = JSON.stringify({ oldOffsetMs: before, newOffsetMs: before + jump });
      assert.deepEqual(
        segments.map((metadata) => metadata['clock.jump']),
        [undefined, told, told],
      );
      assert.deepEqual(jumps, [JSON.parse(told)]);
      const numbers = await numbersIn(spool);
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        [0, 1, 2, 3],
      );
    });
  }

  it('by less than a second changes nothing, but adds up', () => {
    const clock = new SetClock();
    const watch = new ClockWatch(clock);
    clock.wall += 900;
    assert.equal(watch.check(), undefined);
    clock.pass(3600_000);
    assert.equal(watch.check(), undefined);
    clock.wall += 900;
    const jump = watch.check();
    assert.equal(jump === undefined ? 0 : jump.newOffsetMs - jump.oldOffsetMs, 1800);
    assert.equal(watch.check(), undefined);
  });

  it('from 1970 lets a receiver correct what came before, by the boot and both clocks', async (t) => {
    const clock = new SetClock({ wall: 5000, synced: false });
    await using spool = await Spool.open(spoolOptions(join(await scratchDirectory(t), 'spool'), { clock }));
    await spool.append('bulk', [message(0)]);
    clock.pass(60_000);
    const truth = Date.UTC(2026, 8, 1);
    clock.wall = truth;
    clock.synced = true;
    await spool.append('bulk', [message(1)]);
    await spool.seal();
    const [early, late] = await metadataOf(spool);
    assert.equal(early?.['clock.synced'], 'false');
    assert.equal(late?.['clock.synced'], 'true');
    assert.equal(early?.['boot.id'], late?.['boot.id']);
    const offset = (metadata: typeof early): number =>
      (Number(metadata?.['clock.wall']) - Number(metadata?.['clock.monotonic'])) / 1000;
    assert.equal(5000 + offset(late) - offset(early), truth - 60_000);
  });
});

describe('the age limit of the spool', () => {
  const ttlMs = 10 * day;

  it('goes by the monotonic clock within a boot, whatever the wall clock says', async (t) => {
    const directory = join(await scratchDirectory(t), 'spool');
    const clock = new SetClock();
    const segments = async (): Promise<number> => {
      await using spool = await Spool.open(spoolOptions(directory, { clock, ttlMs }));
      return sealedIn(spool).length;
    };
    {
      await using spool = await Spool.open(spoolOptions(directory, { clock, ttlMs }));
      await spool.append('bulk', [message(0)]);
    }
    for (const jump of [1000 * day, -2000 * day, day]) {
      clock.wall += jump;
      assert.equal(await segments(), 1, `removed after a jump by ${jump}`);
    }
    clock.pass(9 * day);
    assert.equal(await segments(), 1);
    clock.pass(2 * day);
    assert.equal(await segments(), 0);
  });

  it('goes by the wall clock over boots only where that was and is right', async (t) => {
    for (const [before, now, age, left] of [
      [true, true, 11, 0],
      [true, true, 9, 1],
      [false, true, 11, 1],
      [true, false, 11, 1],
      [true, true, -400, 1],
    ] as const) {
      const directory = join(await scratchDirectory(t), 'spool');
      {
        const clock = new SetClock({ synced: before });
        await using spool = await Spool.open(spoolOptions(directory, { clock, ttlMs }));
        await spool.append('bulk', [message(0)]);
      }
      const clock = new SetClock({ synced: now, bootId: 'boot-2' });
      clock.wall += age * day;
      await using spool = await Spool.open(spoolOptions(directory, { clock, ttlMs }));
      assert.equal(sealedIn(spool).length, left, `${before} ${now} ${age}`);
      assert.equal(spool.counts.expired, 1 - left);
    }
  });
});

describe('the day of the daily limit', () => {
  it('ends after 24 hours of the monotonic clock, and of a wall clock that is right where there was no power', async (t) => {
    const path = join(await scratchDirectory(t), 'upload-state');
    const clock = new SetClock();
    const state = await UploadState.open(path, 'http://a', clock);
    await state.count(900);
    clock.wall -= 10 * day;
    clock.pass(day / 2);
    assert.equal(state.waitMs(200, 1000), day / 2);
    assert.equal(state.waitMs(100, 1000), 0);
    await state.count(0);
    const wait = async (change: Partial<SetClock>): Promise<number> => {
      const later = Object.assign(new SetClock({ wall: clock.wall, bootId: 'boot-2' }), change);
      return (await UploadState.open(path, 'http://a', later)).waitMs(200, 1000);
    };
    // A power cut of unknown length counts as none.
    assert.equal(await wait({ synced: false, wall: 0 }), day / 2);
    assert.equal(await wait({ wall: clock.wall + day / 4 }), day / 4);
    assert.equal(await wait({ wall: clock.wall + day }), 0);
    assert.equal(await wait({ wall: clock.wall - day }), day / 2);
    // The same boot: another life of the daemon.
    assert.equal(
      await wait({ bootId: 'boot-1', monotonic: clock.monotonic + day / 4, synced: false, wall: 0 }),
      day / 4,
    );
  });
});
