import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { InflightBudget } from '#net/inflight-budget.ts';
import { LinkEstimate } from '#net/link-estimate.ts';
import { HandClock } from '../support/hand-clock.ts';
import { never } from '../support/wire-source.ts';

const kibi = 1024;

/** Whether a wait is over by now. */
async function admitted(wait: Promise<void>): Promise<boolean> {
  let done = false;
  void wait.then(() => {
    done = true;
  });
  await setImmediate();
  return done;
}

describe('the in-flight budget', () => {
  it('admits 128 KiB while nothing is known about the link', async () => {
    const budget = new InflightBudget(() => 0);
    await budget.acquire(80 * kibi, never);
    await budget.acquire(48 * kibi, never);
    const third = budget.acquire(1, never);
    assert.equal(await admitted(third), false);
    budget.release(1);
    assert.equal(await admitted(third), true);
  });

  it('grows to twice what the link holds, to 16 MiB', () => {
    const link = new LinkEstimate(new HandClock());
    const budget = new InflightBudget(() => link.bandwidthDelayBytes);
    assert.equal(budget.limit, 128 * kibi);
    link.received(10_000 * 1024 * kibi);
    link.answered(100);
    link.burst(1024 * kibi, 100);
    assert.equal(budget.limit, 2048 * kibi);
    const far = new InflightBudget(() => 30_000 * kibi);
    assert.equal(far.limit, 16 * 1024 * kibi);
  });

  it('admits one grant that is larger than the budget, alone', async () => {
    const budget = new InflightBudget(() => 0);
    await budget.acquire(1024 * kibi, never);
    const next = budget.acquire(1, never);
    assert.equal(await admitted(next), false);
    budget.release(1024 * kibi);
    assert.equal(await admitted(next), true);
  });

  it('serves in order, so that a large grant is not starved by small ones', async () => {
    const budget = new InflightBudget(() => 0);
    await budget.acquire(80 * kibi, never);
    const large = budget.acquire(110 * kibi, never);
    const small = budget.acquire(1, never);
    assert.equal(await admitted(small), false);
    budget.release(80 * kibi);
    assert.equal(await admitted(large), true);
    assert.equal(await admitted(small), true);
  });

  it('lets a waiter go when its signal aborts, and those behind it through', async () => {
    const budget = new InflightBudget(() => 0);
    await budget.acquire(80 * kibi, never);
    const leaving = new AbortController();
    const large = budget.acquire(90 * kibi, leaving.signal);
    const small = budget.acquire(1, never);
    leaving.abort(new Error('left'));
    await assert.rejects(large, { message: 'left' });
    assert.equal(await admitted(small), true);
    assert.equal(budget.held, 80 * kibi + 1);
    await assert.rejects(budget.acquire(1, leaving.signal), { message: 'left' });
  });
});
