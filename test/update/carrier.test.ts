import assert from 'node:assert/strict';
import { link, lstat, lutimes, mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Carrier } from '#update/carrier.ts';
import { endBeforeRemoval, scratchDirectory } from '../support/scratch-directory.ts';

const sameOwners = { uid: (uid: number) => uid, gid: (gid: number) => gid };

async function slots(t: TestContext) {
  const directory = await scratchDirectory(t);
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  await mkdir(from);
  const carry = (signal = new AbortController().signal) => new Carrier(sameOwners, signal).copy(from, to);
  return { from, to, carry };
}

test('files of a running system that come and go while they are carried do not stop it', {
  timeout: 120_000,
}, async (t) => {
  const { from, to, carry } = await slots(t);
  const churned = join(from, 'spool');
  await mkdir(churned);
  for (let i = 0; i < 200; i++) await writeFile(join(churned, `stays-${i}`), 'x');
  const churn = `
    const { mkdirSync, rmSync, writeFileSync } = require('node:fs');
    const { parentPort, workerData } = require('node:worker_threads');
    const change = (i) => {
      const name = workerData + '/comes-' + (i % 300);
      rmSync(name, { recursive: true, force: true });
      if (i % 7 === 0) mkdirSync(name + '/inside', { recursive: true });
      else if (i % 2 === 0) writeFileSync(name, 'x');
    };
    let at = 0;
    const round = () => {
      for (let i = 0; i < 3000; i++) change(at++);
      setImmediate(round);
    };
    for (; at < 600; at++) change(at);
    parentPort.postMessage('churning');
    round();`;
  const worker = new Worker(churn, { eval: true, workerData: churned });
  endBeforeRemoval(t, async () => void (await worker.terminate()));
  await new Promise((resolve) => worker.once('message', resolve));
  await carry();
  const stayed = (await readdir(join(to, 'spool'))).filter((name) => name.startsWith('stays-'));
  assert.equal(stayed.length, 200);
});

test('names that are no UTF-8 are carried as they are', async (t) => {
  const { from, to, carry } = await slots(t);
  const name = Buffer.from('caf\xe9\n', 'latin1');
  const inside = (directory: string) => Buffer.concat([Buffer.from(`${directory}/`), name]);
  await mkdir(inside(from));
  await writeFile(Buffer.concat([inside(from), Buffer.from('/'), name]), 'kept');
  await symlink(name, join(from, 'link'));
  await carry();
  assert.equal(await readFile(Buffer.concat([inside(to), Buffer.from('/'), name]), 'utf8'), 'kept');
});

test('two names of one file stay two names of one file', async (t) => {
  const { from, to, carry } = await slots(t);
  await mkdir(join(from, 'a'));
  await writeFile(join(from, 'a/one'), 'content');
  await link(join(from, 'a/one'), join(from, 'two'));
  await writeFile(join(from, 'equal'), 'content');
  await carry();
  const [one, two, equal] = [
    await lstat(join(to, 'a/one')),
    await lstat(join(to, 'two')),
    await lstat(join(to, 'equal')),
  ];
  assert.equal(one.ino, two.ino);
  assert.notEqual(one.ino, equal.ino);
});

test('holes of a file are not written out, and its content is the same', async (t) => {
  const { from, to, carry } = await slots(t);
  const path = join(from, 'lastlog');
  await using file = await open(path, 'w');
  await file.write(Buffer.from('begin'), 0, 5, 0);
  await file.write(Buffer.from('middle'), 0, 6, 9_000_123);
  await file.truncate(64 * 1024 * 1024 + 17);
  await carry();
  const stats = await lstat(join(to, 'lastlog'));
  assert.equal(stats.size, 64 * 1024 * 1024 + 17);
  assert.ok(stats.blocks * 512 < 1024 * 1024, `${stats.blocks} blocks are taken`);
  assert.ok((await readFile(path)).equals(await readFile(join(to, 'lastlog'))));
});

test('symlinks keep their times', async (t) => {
  const { from, to, carry } = await slots(t);
  await symlink('nowhere', join(from, 'link'));
  await lutimes(join(from, 'link'), 1000, 2000);
  await carry();
  assert.equal((await lstat(join(to, 'link'))).mtimeMs, 2_000_000);
});
