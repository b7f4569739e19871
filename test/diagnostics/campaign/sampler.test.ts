import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Sampler } from '#diagnostics/campaign/sampler.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';

/** What `on_change` keeps of values, in their order. */
function changes(values: readonly VssValue[], deadBand = 0): VssValue[] {
  const sampler = new Sampler({ mode: 'on_change', deadBand, deadBandPercent: 0, heartbeatMs: undefined });
  return values.flatMap((value, at) =>
    sampler.accept({ value, ts: BigInt(at), receivedAt: at }).map((sample) => sample.value),
  );
}

describe('sampling on change', () => {
  it('keeps any change of texts, lists and truths', () => {
    assert.deepEqual(changes(['a', 'a', 'b'], 5), ['a', 'b']);
    assert.deepEqual(changes([[], [], ['x'], ['x'], ['y'], ['y', 'z']]), [[], ['x'], ['y'], ['y', 'z']]);
    assert.deepEqual(changes([true, true, false]), [true, false]);
  });

  it('measures distances of 64-bit numbers exactly', () => {
    const base = 2n ** 60n;
    assert.deepEqual(changes([base, base + 1n, base + 2n], 1), [base, base + 2n]);
    assert.deepEqual(changes([base, base, base + 1n]), [base, base + 1n]);
  });

  it('tells -0 from 0, and NaN from numbers but not from itself', () => {
    assert.equal(changes([0, -0, -0]).length, 2);
    assert.equal(changes([0, Number.NaN, Number.NaN, 0], 1).length, 3);
  });
});
