import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Screen } from '#cli/screen.ts';

/** What a terminal of ten columns shows after `output`: understands the few sequences that Screen writes. */
function shown(output: string): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  // oxlint-disable-next-line no-control-regex -- escape sequences are what this reads
  for (const [, count, command, text] of output.matchAll(/\u001b\[\??(\d*)([A-Za-z])|([^\u001b])/gs)) {
    if (command === 'A') row -= Number(count);
    else if (command === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (command === 'J' && count === '2') lines.splice(0, lines.length, '');
    else if (command === 'J') lines.splice(row, lines.length, (lines[row] ?? '').slice(0, column));
    else if (command === 'H') [row, column] = [0, 0];
    else if (text === '\n') {
      row += 1;
      column = 0;
      lines[row] ??= '';
    } else if (text === '\r') column = 0;
    else if (text !== undefined) {
      const line = lines[row] ?? '';
      lines[row] = line.slice(0, column) + text + line.slice(column + 1);
      column += 1;
    }
  }
  return lines;
}

function screen(size = { columns: 10, rows: 6 }): { screen: Screen; output: () => string } {
  const stream = new PassThrough();
  let written = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    written += text;
  });
  return { screen: new Screen(stream, () => size), output: () => written };
}

test('a frame replaces the one before, also when it is shorter or its lines are', async () => {
  const { screen: view, output } = screen();
  view.draw(['abcdef', 'second', 'third']);
  view.draw(['abc', '2']);
  view.close();
  await new Promise(setImmediate);
  assert.deepEqual(shown(output()), ['abc', '2', '']);
  assert.ok(output().endsWith('\u001b[?25h'), 'the cursor is given back');
});

test('a frame higher than the terminal is cut: lines that scrolled away cannot be drawn again', async () => {
  const { screen: view, output } = screen();
  view.draw(['1', '2', '3', '4', '5', '6', '7']);
  view.draw(['1', '2', '3', '4', '5', '6', '7']);
  await new Promise(setImmediate);
  const lines = shown(output());
  assert.deepEqual(lines.slice(0, 5), ['1', '2', '3', '4', '... 3 more lines: make the window higher']);
  assert.equal(lines.length, 6);
});

test('after the terminal was resized the screen is drawn afresh', async () => {
  const size = { columns: 10, rows: 6 };
  const { screen: view, output } = screen(size);
  view.draw(['one', 'two']);
  size.columns = 20;
  view.draw(['one', 'two']);
  await new Promise(setImmediate);
  assert.deepEqual(shown(output()), ['one', 'two', '']);
});

test('nothing drawn, nothing to give back', async () => {
  const { screen: view, output } = screen();
  view.close();
  await new Promise(setImmediate);
  assert.equal(output(), '');
});
