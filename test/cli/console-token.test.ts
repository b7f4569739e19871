import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConsoleTokens } from '#config/console-tokens.ts';
import { runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('a token is made whose line the daemon takes', async (t) => {
  const { code, stdout } = await runOta(t, ['console', 'token', 'workshop', '--role', 'operator']);
  assert.equal(code, 0);
  const [, token = '', , line = ''] = stdout.split('\n');
  assert.match(token.trim(), /^[\w-]{43}$/);
  assert.doesNotMatch(line, new RegExp(token.trim()));
  const file = join(await scratchDirectory(t), 'tokens.yml');
  await writeFile(file, `tokens:\n${line}\n`);
  const { tokens, problems } = await readConsoleTokens(file);
  assert.deepEqual(problems, []);
  assert.deepEqual([tokens[0]?.name, tokens[0]?.role], ['workshop', 'operator']);
  const json = await runOta(t, ['console', 'token', 'screen', '--role', 'viewer', '--json']);
  assert.equal(JSON.parse(json.stdout).entry.name, 'screen');
});

test('a wrong call says what is wrong', async (t) => {
  for (const [args, message] of [
    [['--role', 'viewer'], /NAME is missing/],
    [['a b', '--role', 'viewer'], /NAME may have/],
    [['anna'], /--role must be one of viewer, operator, metrics/],
    [['anna', '--role', 'king'], /--role must be one of/],
  ] as const) {
    const { code, stderr } = await runOta(t, ['console', 'token', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
  }
});
