import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StandbyTree } from '#boot/slots.ts';
import { openEcu, request, running } from '../support/one-file-ecu.ts';

test('an ECU goes to a new release and back, over its reboots', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  assert.equal(first.actor.activity().status, 'UPDATING');

  const second = await boot();
  await second.until('SUCCESS');
  assert.equal(await running(second.slots), '2');
  assert.equal((await second.slots.current()).version, '2');
  assert.equal((await second.slots.current()).imageDigest, 'digest of 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;

  const third = await boot();
  assert.equal(third.actor.activity().status, 'ROLLBACKING');
  await third.until('SUCCESS');
  assert.equal(await running(third.slots), '1');
});

test('a rollback takes declared files with it, and they stay when the old release is well', async (t) => {
  const boot = await openEcu(t, ['/data']);
  const first = await boot();
  await writeFile(join(first.slots.activeRoot, 'data'), 'of release 1');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await writeFile(join(second.slots.activeRoot, 'data'), 'of release 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;
  const third = await boot();
  await third.until('SUCCESS');
  assert.equal(await running(third.slots), '1');
  assert.equal(await readFile(join(third.slots.activeRoot, 'data'), 'utf8'), 'of release 2');
  assert.deepEqual((await readdir(third.slots.activeRoot)).toSorted(), ['data', 'version']);
});

test('a rollback to a release that is not well any more leaves that one with its own files', async (t) => {
  const boot = await openEcu(t, ['/data']);
  const first = await boot();
  const old = join(first.slots.activeRoot, 'data');
  await writeFile(old, 'of release 1');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await writeFile(join(second.slots.activeRoot, 'data'), 'of release 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;
  assert.equal(await readFile(old, 'utf8'), 'of release 2');
  const failing = { name: 'app', command: ['false'], timeoutMs: 5000 };
  const third = await boot([failing]);
  await third.rebooted;
  const fourth = await boot();
  assert.equal(await running(fourth.slots), '2');
  assert.equal(fourth.actor.activity().status, 'ROLLBACK_FAILURE');
  assert.equal(await readFile(old, 'utf8'), 'of release 1');
});

test('a rollback that cannot carry its files is not begun', async (t) => {
  const boot = await openEcu(t, ['/data/inner']);
  const first = await boot();
  await writeFile(join(first.slots.activeRoot, 'data'), 'a file, where the new release has a directory');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await mkdir(join(second.slots.activeRoot, 'data'));
  await writeFile(join(second.slots.activeRoot, 'data/inner'), 'x');
  second.actor.send({ type: 'ROLLBACK' });
  await second.until('ROLLBACK_FAILURE');
  assert.match(
    second.actor.activity().failure?.reason ?? '',
    /^E305: rollback failed: files of the running release could not be carried back: /,
  );
  assert.deepEqual(
    (await readdir(join(second.slots.activeRoot, '../slot_a'))).toSorted(),
    ['data', 'version'],
    'the old release is as it was',
  );
  const third = await boot();
  assert.equal(await running(third.slots), '2');
});

test('a release that is not healthy is left again, and the old one tells why, over restarts', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const check = {
    name: 'version is odd',
    command: ['sh', '-c', 'echo "found $(cat $OTA_SLOT_ROOT/version)"; [ $OTA_VERSION != 2 ]'],
    timeoutMs: 5000,
  };
  const second = await boot([check]);
  await second.rebooted;
  for (const life of [await boot([check]), await boot([check])]) {
    assert.equal(life.actor.activity().status, 'FAILURE');
    assert.match(
      life.actor.activity().failure?.reason ?? '',
      /^E211: .*check version is odd ended with exit code 1, and wrote: found 2/,
    );
    assert.equal(await running(life.slots), '1');
  }
});

test('an update that fails says so, keeps saying so, and the next one is taken', async (t) => {
  const boot = await openEcu(t);
  const { actor, slots, until } = await boot();
  const tree: StandbyTree = await slots.look(new AbortController().signal);
  await mkdir(join(tree.root, 'version'), { recursive: true });
  actor.send({ type: 'UPDATE', request: request('2') });
  await until('FAILURE');
  assert.match(actor.activity().failure?.reason ?? '', /^E313: .*EISDIR/);
  const next = await boot();
  assert.deepEqual(next.actor.activity().failure, actor.activity().failure);
  assert.ok(next.actor.isAtRest);
});

test('the journal follows the steps, holds no cookies, and is gone after the end', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  assert.deepEqual(first.steps, [
    'verify',
    'prepare',
    'plan',
    'place',
    'persist',
    'activate',
    'awaitChildren',
    'reboot',
  ]);
  const path = join(first.slots.activeRoot, '..', 'journal.json');
  const text = await readFile(path, 'utf8');
  assert.equal(JSON.parse(text).step, 'reboot');
  assert.ok(!text.includes('SECRET'));
  await (await boot()).until('SUCCESS');
  await assert.rejects(readFile(path), { code: 'ENOENT' });
});
