import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import { Quarantine } from '#update/quarantine.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const release = { version: '2', imageDigest: 'd', at: 1_795_336_170_000, why: 'it hung', blackBox: 'b1' };

async function openQuarantine(t: Parameters<typeof scratchDirectory>[0]) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await mkdir(join(directory, 'status/slot_b'), { recursive: true });
  const slots = await bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
  return {
    quarantine: new Quarantine(slots),
    own: join(directory, 'status/slot_a/quarantine'),
    other: join(directory, 'status/slot_b/quarantine'),
  };
}

test('a release is on the list once, with the last that is known of it', async (t) => {
  const { quarantine } = await openQuarantine(t);
  await quarantine.add(release);
  await quarantine.add({ ...release, version: '3' });
  await quarantine.add({ ...release, blackBox: 'b2' });
  assert.deepEqual(await quarantine.list(), {
    releases: [
      { ...release, version: '3' },
      { ...release, blackBox: 'b2' },
    ],
    problem: undefined,
  });
});

test('the refusal says when, why, which black box, and how to force', async (t) => {
  const { quarantine } = await openQuarantine(t);
  await quarantine.add(release);
  const refusal = await quarantine.refusal(release);
  assert.equal(
    refusal?.reason,
    'E320: release is quarantined on this ECU: version 2 (image d) was left on 2026-11-22T08:29:30.000Z because it hung, ' +
      'see `ota blackbox show b1`; publish a corrected release, or install this one all the same with ' +
      '`ota update --force`',
  );
  assert.equal(await quarantine.refusal({ version: '2', imageDigest: 'e' }), undefined);
});

test('the oldest go when there are too many, or when there is no room for them', async (t) => {
  const { quarantine, own } = await openQuarantine(t);
  for (let n = 0; n < 70; n++) await quarantine.add({ ...release, version: `${n}` });
  const { releases } = await quarantine.list();
  assert.deepEqual([releases.length, releases[0]?.version, releases[63]?.version], [64, '6', '69']);
  for (let n = 0; n < 70; n++) await quarantine.add({ ...release, version: `${n} ${'é'.repeat(500)}` });
  assert.ok((await readFile(own)).length <= 64 * 1024);
  const { releases: long, problem } = await quarantine.list();
  assert.equal(problem, undefined);
  assert.match(long.at(-1)?.version ?? '', /^69 /);
});

test('of a damaged list what can be read counts, with the list of the other slot; the next change mends it', async (t) => {
  const { quarantine, own, other } = await openQuarantine(t);
  await quarantine.add(release);
  const list = await readFile(own, 'utf8');
  await writeFile(other, list.replace('"version":"2"', '"version":"1"'));
  await writeFile(own, list.replace('[', '[{"version":7},'));
  const { releases, problem } = await quarantine.list();
  assert.match(problem ?? '', /quarantine.*damaged/);
  assert.deepEqual(
    releases.map(({ version }) => version),
    ['1', '2'],
  );
  await writeFile(own, '{"torn":');
  assert.ok((await quarantine.refusal({ version: '1', imageDigest: 'd' })) !== undefined);
  await quarantine.add({ ...release, version: '3' });
  assert.equal((await quarantine.list()).problem, undefined);
  assert.ok((await quarantine.refusal({ version: '1', imageDigest: 'd' })) !== undefined);
});

test('what is taken off is taken off for the other release too', async (t) => {
  const { quarantine, own, other } = await openQuarantine(t);
  await quarantine.add(release);
  await quarantine.add({ ...release, version: '3' });
  await writeFile(other, await readFile(own));
  assert.deepEqual(await quarantine.remove({ version: '9', imageDigest: 'd' }), []);
  assert.deepEqual(await quarantine.remove(release), [release]);
  for (const file of [own, other]) {
    const left: { readonly releases: { readonly version: string }[] } = JSON.parse(
      await readFile(file, 'utf8'),
    );
    assert.deepEqual(
      left.releases.map(({ version }) => version),
      ['3'],
    );
  }
  assert.equal((await quarantine.remove()).length, 1);
  assert.deepEqual((await quarantine.list()).releases, []);
});
