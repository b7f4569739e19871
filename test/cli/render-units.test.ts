import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanBytes, humanCount, humanDuration, humanRate } from '#cli/render-units.ts';

test('sizes are SI with three digits, and never "1000" of a unit', () => {
  const expected: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1499, '1.50 kB'],
    [9994, '9.99 kB'],
    [9996, '10.0 kB'],
    [12_345_678, '12.3 MB'],
    [99_960_000, '100 MB'],
    [999_499_999, '999 MB'],
    [999_500_000, '1.00 GB'],
    [1_700_000_000, '1.70 GB'],
    [Number.MAX_SAFE_INTEGER, '9.01 PB'],
    [-5, '0 B'],
  ];
  for (const [bytes, text] of expected) assert.equal(humanBytes(bytes), text);
  assert.equal(humanRate(1_500_000), '1.50 MB/s');
});

test('counts have separators of thousands', () => {
  assert.equal(humanCount(0), '0');
  assert.equal(humanCount(999), '999');
  assert.equal(humanCount(50_123), '50,123');
  assert.equal(humanCount(1_234_567), '1,234,567');
});

test('durations take the two units that matter', () => {
  const expected: [number, string][] = [
    [0, '0.0 s'],
    [940, '0.9 s'],
    [9949, '9.9 s'],
    [9951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [7_440_000, '2 h 04 min'],
    [187_200_000, '2 d 04 h'],
  ];
  for (const [ms, text] of expected) assert.equal(humanDuration(ms), text);
});
