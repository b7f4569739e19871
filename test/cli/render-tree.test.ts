import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainStyle } from '#cli/render-style.ts';
import { branchesOf } from '#cli/render-tree.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import { ecuStatus } from '../support/ecu-status.ts';

function tree(parents: Readonly<Record<string, string>>): string[] {
  const ecus = Object.entries(parents).map(([id, parentEcuId]) => ecuStatus(id, { parentEcuId }));
  const { rows } = new VehicleView().observe({ availableEcuIds: ['never'], ecus }, 0);
  return branchesOf(rows, { ...plainStyle, unicode: true }).map(({ stem, row }) => stem + row.ecuId);
}

test('ECUs stand below their parents, however they come', () => {
  assert.deepEqual(tree({ leaf: 'b', b: 'main', main: '', a: 'main', other: '' }), [
    'never',
    'main',
    '├ b',
    '│ └ leaf',
    '└ a',
    'other',
  ]);
});

test('parents that nobody knows, and ECUs that are their own ancestors, take nobody away', () => {
  assert.deepEqual(tree({ a: 'gone', b: 'b', c: 'd', d: 'c', e: 'c' }), ['never', 'a', 'b', 'c', '└ e', 'd']);
});
