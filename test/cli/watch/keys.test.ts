import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyReader } from '#cli/watch/keys.ts';

test('keys of several terminals are understood, also in pieces; others are passed over', () => {
  const keys = (...pieces: string[]): string[] => {
    const reader = new KeyReader();
    return pieces.flatMap((piece) => reader.push(piece));
  };
  assert.deepEqual(keys('\u001b[A\u001bOB\u001b[5~\u001b[6~\u001b[H\u001bOF\u001b[1~\u001b[8~'), [
    'up',
    'down',
    'page-up',
    'page-down',
    'home',
    'end',
    'home',
    'end',
  ]);
  assert.deepEqual(keys('\u001b', '[', 'A'), ['escape'], 'an escape of its own, and no letters');
  assert.deepEqual(keys('\u001b[', '6', '~q'), ['page-down', 'quit']);
  assert.deepEqual(keys('\u001b[1;5A'), ['up'], 'modifiers are of no account');
  assert.deepEqual(keys('\u001b[200~\u001b[15~xé日\u0000'), []);
  assert.deepEqual(keys('\u0003\u001a\u001b'), ['interrupt', 'suspend', 'escape']);
});
