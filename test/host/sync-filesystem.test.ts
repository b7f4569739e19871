import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;

test('a file system is made durable through any path in it', async (t) => {
  await syncFilesystem(await scratchDirectory(t), never);
});

test('only the file system of the path is flushed', async (t) => {
  const programs = await programsOnPath(t, { sync: 'echo "$@" >> calls' });
  await syncFilesystem('/some/where', never);
  assert.equal(await readFile(join(programs, 'calls'), 'utf8'), '-f /some/where\n');
});

test('a sync that knows no -f flushes everything', async (t) => {
  const programs = await programsOnPath(t, {
    sync: 'echo "sync $@" >> calls; [ $# = 0 ] || { echo "sync: invalid option -- f" >&2; exit 1; }',
  });
  await syncFilesystem('/some/where', never);
  assert.equal(await readFile(join(programs, 'calls'), 'utf8'), 'sync -f /some/where\nsync \n');
});

test('a flush that fails is an error, never silence', async (t) => {
  await programsOnPath(t, { sync: '[ $# = 0 ] || { echo "sync: error syncing: I/O error" >&2; exit 1; }' });
  await assert.rejects(syncFilesystem('/some/where', never), { code: 'failed', output: /I\/O error/ });
});
