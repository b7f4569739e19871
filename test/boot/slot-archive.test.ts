import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SlotArchive } from '#boot/slot-archive.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('what was written is read, in folders that are made for it; what is not ours reads as null', async (t) => {
  const directory = await scratchDirectory(t);
  const archive = new SlotArchive(join(directory, 'slot_a'));
  assert.equal(await archive.read('quarantine'), undefined);
  assert.deepEqual(await archive.list('blackbox'), []);
  await archive.write('blackbox/2.json', { n: 2 });
  await archive.write('blackbox/1.json', { n: 1 });
  assert.deepEqual(await archive.list('blackbox'), ['1.json', '2.json']);
  assert.deepEqual(await archive.read('blackbox/2.json'), { n: 2 });
  await writeFile(join(directory, 'slot_a', 'torn'), '{"n":');
  await writeFile(join(directory, 'slot_a', 'large'), JSON.stringify('x'.repeat(70_000)));
  assert.equal(await archive.read('torn'), null);
  assert.equal(await archive.read('large'), null);
  await archive.remove('blackbox/1.json');
  assert.deepEqual(await archive.list('blackbox'), ['2.json']);
});

test('a release is handed what is kept, and nothing of earlier trials', async (t) => {
  const directory = await scratchDirectory(t);
  const [from, to] = [new SlotArchive(join(directory, 'a')), new SlotArchive(join(directory, 'b'))];
  await from.write('quarantine', { releases: ['r'] });
  await from.write('blackbox/2.json', { n: 2 });
  await from.write('trial-failure', {});
  await to.write('quarantine', { releases: ['old'] });
  await to.write('blackbox/1.json', { n: 1 });
  await to.write('first-boot', {});
  await to.write('trial-failure', {});
  await from.handOn(to);
  assert.deepEqual((await readdir(join(directory, 'b'))).toSorted(), ['blackbox', 'quarantine']);
  assert.deepEqual(await to.read('quarantine'), { releases: ['r'] });
  assert.deepEqual(await to.list('blackbox'), ['2.json']);
  assert.equal(await from.read('trial-failure'), undefined);
});

test('a damaged list is not handed on over a good one; black boxes that cannot be handed on stop nothing', async (t) => {
  const directory = await scratchDirectory(t);
  const [from, to] = [new SlotArchive(join(directory, 'a')), new SlotArchive(join(directory, 'b'))];
  await mkdir(join(directory, 'a'));
  await writeFile(join(directory, 'a', 'quarantine'), '{');
  await from.write('blackbox/1.json', { n: 1 });
  await to.write('quarantine', { releases: ['good'] });
  await writeFile(join(directory, 'b', 'blackbox'), 'a file where a folder should be');
  await from.handOn(to);
  assert.deepEqual(await to.read('quarantine'), { releases: ['good'] });
  assert.equal(await readFile(join(directory, 'b', 'blackbox'), 'utf8'), 'a file where a folder should be');
});
