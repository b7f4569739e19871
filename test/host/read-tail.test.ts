import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTail } from '#host/read-tail.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('the end of a file is read, from a whole line on; a small file whole', async (t) => {
  const path = join(await scratchDirectory(t), 'log');
  await writeFile(path, 'one\ntwo\nthree\n');
  assert.equal(await readTail(path, 100), 'one\ntwo\nthree\n');
  assert.equal(await readTail(path, 12), 'two\nthree\n');
  assert.equal(await readTail(`${path}.none`, 100), undefined);
});

test('a pipe nobody writes to and a directory are no files, and nobody waits for them', async (t) => {
  const directory = await scratchDirectory(t);
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  assert.equal(await readTail(join(directory, 'pipe'), 100), undefined);
  assert.equal(await readTail(directory, 100), undefined);
});
