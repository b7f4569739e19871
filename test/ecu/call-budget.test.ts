import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { childBudget, withinBudget } from '#ecu/call-budget.ts';

describe('the budget of a child', () => {
  it('shrinks on every hop, so that each ECU can still answer for a mute one below it', () => {
    const hops = [6000];
    for (let n = 0; n < 4; n += 1) hops.push(childBudget(hops.at(-1) ?? 0, 8000));
    for (const [n, budget] of hops.entries()) {
      const above = hops[n - 1];
      if (above !== undefined) assert.ok(above - budget >= 300, `${above} -> ${budget}`);
    }
    assert.ok((hops.at(-1) ?? 0) > 2000);
  });

  it('has a limit of its own, and is nothing when nothing worth having is left', () => {
    assert.equal(childBudget(60_000, 8000), 8000);
    assert.equal(childBudget(340, 8000), 0);
    assert.equal(childBudget(0, 8000), 0);
  });
});

describe('work within a budget', () => {
  const signal = new AbortController().signal;
  const never = new Promise<string>(() => {});

  it('gives its result, or another when the time is over or the caller gone', async () => {
    const late = () => 'late';
    assert.equal(await withinBudget(Promise.resolve('done'), { signal, budgetMs: 1000 }, late), 'done');
    assert.equal(await withinBudget(never, { signal, budgetMs: 5 }, late), 'late');
    assert.equal(await withinBudget(never, { signal: AbortSignal.abort(), budgetMs: 1000 }, late), 'late');
  });

  it('fails with the work', async () => {
    const failing = withinBudget(Promise.reject(new Error('x')), { signal, budgetMs: 1000 }, () => 'late');
    await assert.rejects(failing, { message: 'x' });
  });
});
