import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { entryAt } from '#host/entry-at.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

it('tells what lies at a path without following links, and that nothing does', async (t) => {
  const directory = await scratchDirectory(t);
  await symlink('nowhere', join(directory, 'link'));
  assert.equal((await entryAt(join(directory, 'link')))?.isSymbolicLink(), true);
  assert.equal(await entryAt(join(directory, 'missing')), undefined);
  assert.equal(await entryAt(join(directory, 'link/below')), undefined);
});
