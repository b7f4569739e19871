import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { adoptSlots } from '#boot/adopt-slots.ts';
import { StatusFiles } from '#boot/status-files.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

/** Words of a slot as an existing client leaves them: [status, slot_in_use]; undefined for none. */
type Words = readonly [string, string] | undefined;

interface Adopted {
  readonly own: StatusFiles;
  readonly other: StatusFiles;
  readonly adopt: () => Promise<void>;
}

/** slot_b runs; nothing of ours is there yet. */
async function vehicle(t: TestContext, own: Words, other: Words, files = ['vmlinuz']): Promise<Adopted> {
  const directory = await scratchDirectory(t);
  const activeRoot = join(directory, 'root');
  await mkdir(activeRoot);
  for (const name of files) await writeFile(join(activeRoot, name), '');
  const open = async (name: string, words: Words): Promise<StatusFiles> => {
    const status = new StatusFiles(join(directory, name));
    await status.open();
    if (words === undefined) return status;
    await writeFile(join(status.directory, 'status'), words[0]);
    await writeFile(join(status.directory, 'slot_in_use'), words[1]);
    return status;
  };
  const [ownFiles, otherFiles] = [await open('slot_b', own), await open('slot_a', other)];
  return {
    own: ownFiles,
    other: otherFiles,
    adopt: () =>
      adoptSlots({ booted: 'slot_b', activeRoot, own: ownFiles, other: () => Promise.resolve(otherFiles) }),
  };
}

const state = async (files: StatusFiles): Promise<string | undefined> => (await files.record())?.state;

test('a release that an existing client installed can be gone back from', async (t) => {
  for (const word of ['SUCCESS', 'UPDATING']) {
    const { own, other, adopt } = await vehicle(t, [word, 'slot_b'], ['FAILURE', 'slot_b']);
    await adopt();
    assert.equal(await state(other), 'confirmed', word);
    assert.equal(await state(own), word === 'SUCCESS' ? 'confirmed' : undefined, word);
  }
});

test('a slot that an existing client has begun to write to, or may have, is not gone back to', async (t) => {
  for (const [own, other] of [
    [
      ['FAILURE', 'slot_a'],
      ['FAILURE', 'slot_b'],
    ],
    [
      ['ABORTED', 'slot_a'],
      ['UPDATING', 'slot_a'],
    ],
    [
      ['SUCCESS', 'slot_b'],
      ['UPDATING', 'slot_a'],
    ],
    [['SUCCESS', 'slot_b'], undefined],
    [['INITIALIZED', 'slot_b'], undefined],
    [undefined, ['FAILURE', 'slot_b']],
  ] satisfies [Words, Words][]) {
    const found = await vehicle(t, own, other);
    await found.adopt();
    assert.equal(await state(found.other), undefined, String([own, other]));
    assert.equal(await state(found.own), 'confirmed', 'what runs is a release');
  }
});

test('what is on record stays on record, and an empty slot is no release', async (t) => {
  const known = await vehicle(t, ['SUCCESS', 'slot_b'], ['FAILURE', 'slot_b']);
  await known.own.setRecord({ state: 'staged', imageDigest: 'd' });
  await known.adopt();
  assert.equal(await state(known.own), 'staged');
  assert.equal(await state(known.other), undefined);
  const written = await vehicle(t, ['SUCCESS', 'slot_b'], ['FAILURE', 'slot_b']);
  await written.other.setRecord({ state: 'written_to', imageDigest: '' });
  await written.adopt();
  assert.equal(await state(written.other), 'written_to');
  const empty = await vehicle(t, ['INITIALIZED', 'slot_b'], undefined, []);
  await empty.adopt();
  assert.equal(await state(empty.own), undefined);
});
