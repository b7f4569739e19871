import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar } from '#cli/render-bar.ts';
import { plainStyle } from '#cli/render-style.ts';
import { displayWidth } from '#cli/render-text.ts';

const unicode = { ...plainStyle, unicode: true };

test('a bar is always as wide as asked', () => {
  for (let percent = -10; percent <= 110; percent += 1) {
    for (const style of [plainStyle, unicode]) {
      assert.equal(displayWidth(bar(style, percent / 100, 10)), 10);
    }
  }
  assert.equal(displayWidth(bar(unicode, Number.NaN, 10)), 10);
});

test('a bar looks full only at the very end', () => {
  assert.equal(bar(plainStyle, 0, 10), '[--------]');
  assert.equal(bar(plainStyle, 0.5, 10), '[####----]');
  assert.equal(bar(plainStyle, 0.999, 10), '[#######-]');
  assert.equal(bar(plainStyle, 1, 10), '[########]');
  assert.equal(bar(unicode, 0.55, 10), '█████▌░░░░');
  assert.notEqual(bar(unicode, 0.99, 10), bar(unicode, 1, 10));
});
