import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  copyDurably,
  makeDirectoryDurably,
  readAtMost,
  readSmallJson,
  removeDurably,
  sweepTemporaries,
  writeDurably,
} from '#host/durable-file.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('a durable write replaces the file and leaves nothing else behind', async (t) => {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'status');
  await writeDurably(path, 'FAILURE', 0o640);
  await writeDurably(path, 'SUCCESS', 0o640);
  assert.equal(await readFile(path, 'utf8'), 'SUCCESS');
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(directory), ['status']);
});

test('a durable copy replaces the file whole, and a failing one leaves it', async (t) => {
  const directory = await scratchDirectory(t);
  const [from, to] = [join(directory, 'new'), join(directory, 'kernel')];
  await writeFile(from, Buffer.alloc(3_000_000, 7), { mode: 0o400 });
  await writeFile(to, 'old');
  await assert.rejects(copyDurably(join(directory, 'missing'), to), { code: 'ENOENT' });
  assert.equal(await readFile(to, 'utf8'), 'old');
  await copyDurably(from, to, 0o600);
  assert.deepEqual(await readFile(to), await readFile(from));
  assert.equal((await stat(to)).mode & 0o777, 0o600);
  assert.deepEqual((await readdir(directory)).sort(), ['kernel', 'new']);
});

test('many writers at once leave one whole content', async (t) => {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'status');
  const contents = Array.from({ length: 20 }, (_, n) => String(n).repeat(5000 + n));
  await Promise.all(contents.map((content) => writeDurably(path, content)));
  assert.ok(contents.includes(await readFile(path, 'utf8')));
  assert.deepEqual(await readdir(directory), ['status']);
});

test('a failed write keeps the old content and no temporary file', async (t) => {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'taken', 'by'), { recursive: true });
  await assert.rejects(writeDurably(join(directory, 'taken'), 'text'), { code: 'EISDIR' });
  assert.deepEqual(await readdir(directory), ['taken']);
});

test('what an interrupted write left is swept, everything else stays', async (t) => {
  const directory = await scratchDirectory(t);
  await writeFile(join(directory, '.ota-tmp-status-0123456789ab'), 'half');
  await writeFile(join(directory, 'status'), 'SUCCESS');
  await sweepTemporaries(directory);
  assert.deepEqual(await readdir(directory), ['status']);
});

test('removing a file that is not there is fine', async (t) => {
  const path = join(await scratchDirectory(t), 'version');
  await removeDurably(path);
  await writeFile(path, '1');
  await removeDurably(path);
  assert.equal(await readAtMost(path, 10), undefined);
});

test('directories are made with their parents, and again without harm', async (t) => {
  const path = join(await scratchDirectory(t), 'a', 'b', 'c');
  await makeDirectoryDurably(path);
  await makeDirectoryDurably(path);
  assert.ok((await stat(path)).isDirectory());
});

test('reading stops at the cap', async (t) => {
  const path = join(await scratchDirectory(t), 'version');
  await writeFile(path, 'x'.repeat(5000));
  assert.equal((await readAtMost(path, 2048))?.length, 2048);
});

test('missing JSON is undefined, foreign or oversized JSON is null', async (t) => {
  const path = join(await scratchDirectory(t), 'boot.json');
  assert.equal(await readSmallJson(path, 100), undefined);
  await writeFile(path, '{"torn":');
  assert.equal(await readSmallJson(path, 100), null);
  await writeFile(path, JSON.stringify('x'.repeat(200)));
  assert.equal(await readSmallJson(path, 100), null);
  await writeFile(path, '{"a":1}');
  assert.deepEqual(await readSmallJson(path, 100), { a: 1 });
});
