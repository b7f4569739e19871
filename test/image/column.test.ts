import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { column } from '#image/column.ts';

describe('Column', () => {
  it('grows while it keeps what it holds, in shared memory', () => {
    const numbers = column.u32(5_000_000);
    for (let i = 0; i < 3_000_000; i++) numbers.push(i);
    const filled = numbers.filled();
    assert.equal(filled.length, 3_000_000);
    for (const i of [0, 1, 1023, 1024, 1_048_576, 2_999_999]) assert.equal(filled[i], i);
    assert.ok(filled.buffer instanceof SharedArrayBuffer);
  });

  it('holds exactly the most, and not one more', () => {
    for (const numbers of [column.u8(1500), column.u16(1500), column.u32(1500), column.f64(1500)]) {
      for (let i = 0; i < 1500; i++) numbers.push(i % 200);
      assert.equal(numbers.filled()[1499], 99);
      assert.throws(() => numbers.push(1), RangeError);
    }
  });

  it('gives room that is written before it is counted', () => {
    const bytes = column.u8(10_000);
    bytes.push(1);
    bytes.reserve(5000).fill(7, 1, 4001);
    bytes.length += 4000;
    assert.deepEqual([bytes.filled().length, bytes.filled()[4000]], [4001, 7]);
  });
});
