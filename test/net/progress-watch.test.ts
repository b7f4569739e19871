import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgressWatch } from '#net/progress-watch.ts';
import { HandClock } from '../support/hand-clock.ts';

function watched(limitMs: number): { clock: HandClock; watch: ProgressWatch; stalls: () => number } {
  const clock = new HandClock();
  let stalls = 0;
  const watch = new ProgressWatch(limitMs, clock, () => stalls++);
  return { clock, watch, stalls: () => stalls };
}

describe('the no-progress watch', () => {
  it('fires when nothing arrives for the given time', () => {
    const { clock, watch, stalls } = watched(1000);
    watch.enter();
    clock.pass(999);
    assert.equal(stalls(), 0);
    clock.pass(1);
    assert.equal(stalls(), 1);
  });

  it('does not fire while bytes drip', () => {
    const { clock, watch, stalls } = watched(1000);
    watch.enter();
    for (let drip = 0; drip < 20; drip++) {
      clock.pass(900);
      watch.progress();
    }
    assert.equal(stalls(), 0);
    clock.pass(1000);
    assert.equal(stalls(), 1);
  });

  it('does not count time in which nothing waits for the network', () => {
    const { clock, watch, stalls } = watched(1000);
    watch.enter();
    clock.pass(500);
    watch.leave();
    clock.pass(10_000);
    watch.enter();
    clock.pass(900);
    assert.equal(stalls(), 0);
    clock.pass(100);
    assert.equal(stalls(), 1);
  });

  it('starts anew for a request that comes after a pause shorter than the limit', () => {
    const { clock, watch, stalls } = watched(1000);
    watch.enter();
    clock.pass(800);
    watch.leave();
    watch.enter();
    clock.pass(900);
    assert.equal(stalls(), 0);
    clock.pass(100);
    assert.equal(stalls(), 1);
  });

  it('is silent once it is closed', () => {
    const { clock, watch, stalls } = watched(1000);
    watch.enter();
    watch.close();
    clock.pass(5000);
    assert.equal(stalls(), 0);
  });
});
