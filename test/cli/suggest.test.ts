import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggest } from '#cli/suggest.ts';

const known = ['status', 'update', 'rollback', 'abort', 'serve', 'image build'];

test('near words are suggested, far ones are not', () => {
  assert.equal(suggest('stauts', known), 'status');
  assert.equal(suggest('rolback', known), 'rollback');
  assert.equal(suggest('upd', known), 'update');
  assert.equal(suggest('image bulid', known), 'image build');
  assert.equal(suggest('frobnicate', known), undefined);
  assert.equal(suggest('x', known), undefined);
});
