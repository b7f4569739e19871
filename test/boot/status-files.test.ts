import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { StatusFiles } from '#boot/status-files.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

async function openFiles(t: TestContext): Promise<StatusFiles> {
  const files = new StatusFiles(join(await scratchDirectory(t), 'status', 'slot_a'));
  await files.open();
  return files;
}

test('files have the names and contents that existing tools read: plain text, no newline', async (t) => {
  const files = await openFiles(t);
  await files.setStatus('UPDATING');
  await files.setSlotInUse('slot_b');
  await files.setRelease('2.0 "x"', { releaseName: 'r', releaseId: '7', imageId: 'i' });
  const read = (name: string): Promise<string> => readFile(join(files.directory, name), 'utf8');
  assert.equal(await read('status'), 'UPDATING');
  assert.equal(await read('slot_in_use'), 'slot_b');
  assert.equal(await read('version'), '2.0 "x"');
  assert.deepEqual(JSON.parse(await read('version_detail')), {
    release_name: 'r',
    release_id: '7',
    image_id: 'i',
  });
});

test('slot_in_use has the name that existing clients give a slot, and is read by both names', async (t) => {
  const directory = join(await scratchDirectory(t), 'ota-status');
  const files = new StatusFiles(directory, { slot_a: '0', slot_b: '1' });
  await files.open();
  await files.setSlotInUse('slot_b');
  assert.equal(await readFile(join(directory, 'slot_in_use'), 'utf8'), '1');
  assert.equal(await files.slotInUse(), 'slot_b');
  await writeFile(join(directory, 'slot_in_use'), 'slot_a');
  assert.equal(await files.slotInUse(), 'slot_a');
});

test('a status is read in any case and with white space around it', async (t) => {
  const files = await openFiles(t);
  await writeFile(join(files.directory, 'status'), ' success \n');
  assert.equal(await files.status(), 'SUCCESS');
});

test('a missing, empty, unknown or live-only status word is undefined', async (t) => {
  const files = await openFiles(t);
  assert.equal(await files.status(), undefined);
  for (const word of ['', 'SOMETHING', 'ABORTING', 'CLIENT_UPDATING', 'x'.repeat(100_000)]) {
    await writeFile(join(files.directory, 'status'), word);
    assert.equal(await files.status(), undefined, word.slice(0, 20));
  }
});

test('a version is raw, cut to 2048 bytes, and empty when missing', async (t) => {
  const files = await openFiles(t);
  assert.equal(await files.version(), '');
  await writeFile(join(files.directory, 'version'), ` 1\n${'x'.repeat(5000)}`);
  assert.equal(await files.version(), ` 1\n${'x'.repeat(2045)}`);
});

test('a version detail that is broken or not whole is ignored, and a release without one removes it', async (t) => {
  const files = await openFiles(t);
  const path = join(files.directory, 'version_detail');
  for (const text of ['{', '[]', '{"release_name":"r","release_id":"","image_id":"i"}', '{"release_id":1}']) {
    await writeFile(path, text);
    assert.equal(await files.detail(), undefined, text);
  }
  await files.setRelease('1', undefined);
  assert.ok(!(await readdir(files.directory)).includes('version_detail'));
});

test('a failure report survives, and a broken one is none', async (t) => {
  const files = await openFiles(t);
  const report = { type: 'UNRECOVERABLE', reason: 'E303: why; mend', traceback: 'a\nb' } as const;
  await files.setFailure(report);
  assert.deepEqual(await files.failure(), report);
  await writeFile(join(files.directory, 'failure'), '{"type":"RECOVERABLE"}');
  assert.equal(await files.failure(), undefined);
  await files.setFailure(undefined);
  assert.ok(!(await readdir(files.directory)).includes('failure'));
});

test('a slot record that is not ours never counts as intact', async (t) => {
  const files = await openFiles(t);
  await files.setRecord({ state: 'confirmed', imageDigest: 'ab' });
  assert.deepEqual(await files.record(), { state: 'confirmed', imageDigest: 'ab' });
  await writeFile(join(files.directory, 'slot'), '{"format":2,"state":"confirmed"}');
  assert.equal(await files.record(), undefined);
});

test('a file that cannot be read or written is named, with what to do', async (t) => {
  const files = await openFiles(t);
  await mkdir(join(files.directory, 'status'));
  await assert.rejects(files.status(), /\/slot_a\/status could not be read: EISDIR/);
  await assert.rejects(files.setStatus('SUCCESS'), /\/slot_a\/status could not be written: EISDIR/);
});

test('the names of the device are written when they change only', async (t) => {
  const files = await openFiles(t);
  const path = join(files.directory, 'device');
  await files.setDevice(['PARTUUID=1', 'UUID=2']);
  const { ino } = await stat(path);
  await files.setDevice(['PARTUUID=1', 'UUID=2']);
  assert.equal((await stat(path)).ino, ino);
  await files.setDevice(['PARTUUID=3']);
  assert.equal(await readFile(path, 'utf8'), 'PARTUUID=3\n');
});
