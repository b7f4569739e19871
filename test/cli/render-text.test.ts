import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayWidth, harmless, padEnd, padStart, truncate, wrap } from '#cli/render-text.ts';

test('width counts columns, not characters', () => {
  assert.equal(displayWidth('camera'), 6);
  assert.equal(displayWidth('前方カメラ'), 10);
  assert.equal(displayWidth('é'), 1, 'a combining accent takes no column of its own');
  assert.equal(displayWidth('🚗'), 2);
  assert.equal(displayWidth('→ █░'), 4);
});

test('padding fills columns', () => {
  assert.equal(padEnd('前', 4), '前  ');
  assert.equal(padStart('9', 3), '  9');
  assert.equal(padEnd('too long', 3), 'too long');
});

test('truncation never exceeds the columns, and shows that something was cut', () => {
  assert.equal(truncate('autoware', 8), 'autoware');
  assert.equal(truncate('autoware', 5), 'auto…');
  assert.equal(truncate('前方カメラ', 6), '前方…', 'a wide character is not cut in half');
  assert.equal(truncate('autoware', 5, '...'), 'au...');
});

test('wrapping breaks at spaces, and inside words only when a word alone is too long', () => {
  assert.deepEqual(wrap('check the boot loader of this ECU', 14), [
    'check the boot',
    'loader of this',
    'ECU',
  ]);
  assert.deepEqual(wrap('see http://example/abcdef now', 10), ['see', 'http://exa', 'mple/abcde', 'f now']);
  assert.deepEqual(wrap('one\ntwo', 10), ['one', 'two']);
  for (const line of wrap('前方カメラの更新に失敗しました', 7)) assert.ok(displayWidth(line) <= 7, line);
});

test('escape sequences and direction overrides of a peer do not reach the terminal', () => {
  const evil = 'v1\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egpj.exe\r\n\tend';
  assert.equal(harmless(evil), 'v1\ufffd[2J\ufffd]0;owned\ufffd\ufffd31m\ufffdgpj.exe  end');
  assert.equal(harmless('a\nb', true), 'a\nb');
});
