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

test('every point that was reached is kept with its time, and a long list loses its middle', async (t) => {
  const path = join(await scratchDirectory(t), 'journal.json');
  const journal = await Journal.open(path);
  await journal.begin('verify', job);
  await journal.reach('prepare');
  await journal.reach('place');
  const { timeline = [], startedAt, reachedAt } = (await Journal.open(path)).entry ?? {};
  assert.deepEqual(
    timeline.map(({ step }) => step),
    ['verify', 'prepare', 'place'],
  );
  assert.equal(timeline[0]?.at, startedAt);
  assert.equal(timeline[2]?.at, reachedAt);
  for (let n = 0; n < 70; n++) await journal.reach('first_boot');
  const long = (await Journal.open(path)).entry?.timeline ?? [];
  assert.equal(long.length, 64);
  assert.deepEqual([long[0]?.step, long[2]?.step, long[63]?.step], ['verify', 'place', 'first_boot']);
});

test('a journal of an earlier release, which knows its last point only, is read', async (t) => {
  const path = join(await scratchDirectory(t), 'journal.json');
  const journal = await Journal.open(path);
  await journal.begin('activate', job);
  const { timeline: _, ...earlier } = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify(earlier));
  assert.deepEqual((await Journal.open(path)).entry?.timeline, [{ step: 'activate', at: earlier.reachedAt }]);
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
