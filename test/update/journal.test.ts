import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Journal, newSessionId } from '#update/journal.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const job = { requestId: 'r', version: '2', url: 'http://h/' };

test('the next life finds how far the last one came', async (t) => {
  const path = join(await scratchDirectory(t), 'state', 'journal.json');
  const journal = await Journal.open(path);
  await journal.begin('verify', job);
  await journal.reach('prepare', { imageDigest: 'd' });
  await journal.reach('place');
  const next = (await Journal.open(path)).entry;
  assert.ok(next !== undefined);
  assert.deepEqual(next, journal.entry);
  assert.equal(next.step, 'place');
  assert.equal(next.imageDigest, 'd');
  assert.ok(next.reachedAt >= next.startedAt);
  assert.equal((await stat(path)).mode & 0o077, 0, 'for nobody else');
});

test('a cleared journal tells nothing, and reaches nothing', async (t) => {
  const path = join(await scratchDirectory(t), 'journal.json');
  const journal = await Journal.open(path);
  await journal.begin('verify', job);
  await journal.clear();
  await journal.reach('place');
  assert.equal(journal.entry, undefined);
  assert.equal((await Journal.open(path)).entry, undefined);
});

test('a journal of another format tells nothing', async (t) => {
  const path = join(await scratchDirectory(t), 'journal.json');
  const journal = await Journal.open(path);
  await journal.begin('verify', job);
  const written = JSON.parse(await readFile(path, 'utf8'));
  for (const text of [
    '',
    '{',
    JSON.stringify({ ...written, format: 2 }),
    JSON.stringify({ ...written, step: 'x' }),
  ]) {
    await writeFile(path, text);
    assert.equal((await Journal.open(path)).entry, undefined);
  }
});

test('a session is named by its time, its version as a file name, and chance', () => {
  const at = 1_795_336_170_000;
  assert.match(newSessionId('v/1.0 "a"\n', at), /^1795336170-v_1_0 _a__-[0-9a-f]{8}$/);
  assert.notEqual(newSessionId('1', at), newSessionId('1', at));
});
