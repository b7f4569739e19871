import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from '#cli/render-table.ts';

test('columns line up under wide characters, and colours do not count', () => {
  const lines = table(
    [{ title: 'ECU' }, { title: 'RATE', align: 'right' }, { title: 'LAST' }],
    [
      [{ text: 'main' }, { text: '9 B/s' }, { text: 'x' }],
      [{ text: '前方' }, { text: '12 B/s', painted: (text) => `<${text}>` }, { text: '' }],
    ],
  );
  assert.deepEqual(lines, ['ECU     RATE  LAST', 'main   9 B/s  x', '前方  <12 B/s>']);
});

test('a cell wider than its column is cut', () => {
  assert.deepEqual(table([{ title: 'ECU', maxWidth: 5 }], [[{ text: 'autoware' }]], { ellipsis: '...' }), [
    'ECU',
    'au...',
  ]);
});
