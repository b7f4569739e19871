import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const module = new URL('../../src/app/loading-garbage.ts', import.meta.url).href;

const program = `
  import { runInNewContext } from 'node:vm';
  import { collectLoadingGarbage } from '${module}';
  collectLoadingGarbage(1);
  process.stdin.on('end', () => console.log(typeof gc, runInNewContext('typeof gc'))).resume();`;

test('what the start has left is collected without anybody asking, and nobody else gets hold of the collector', {
  timeout: 20_000,
}, async (t) => {
  const child = spawn(process.execPath, ['--trace-gc', '--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text;
    if (/Mark-Compact \(reduce\).*requested/.test(told)) child.stdin.end();
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.match(told, /^undefined undefined$/m);
});
