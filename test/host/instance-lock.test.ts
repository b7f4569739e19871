import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { takeInstanceLock } from '#host/instance-lock.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const module = fileURLToPath(new URL('../../src/host/instance-lock.ts', import.meta.url));

/** A process that takes the lock and keeps it until it is killed. */
async function holder(path: string) {
  const script = `
    const { takeInstanceLock } = await import(${JSON.stringify(module)});
    try { await takeInstanceLock(${JSON.stringify(path)}); console.log('taken'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.name); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
  return {
    said: String(text).trim(),
    pid: child.pid,
    kill: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

test('a second daemon is told which process has the directory', async (t) => {
  const path = join(await scratchDirectory(t), 'daemon.pid');
  const first = await holder(path);
  t.after(() => first.kill());
  assert.equal(first.said, 'taken');
  await assert.rejects(takeInstanceLock(path), { name: 'LockTakenError', pid: first.pid });
});

test('the lock of a killed process does not block', async (t) => {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'daemon.pid');
  await (await holder(path)).kill();
  const lock = await takeInstanceLock(path);
  assert.equal(JSON.parse(await readFile(path, 'utf8')).pid, process.pid);
  await lock[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(directory), []);
});

test('a process id that was given to another process, or a torn file, does not block', async (t) => {
  const path = join(await scratchDirectory(t), 'daemon.pid');
  for (const text of [
    JSON.stringify({ pid: process.pid, startTicks: '1', bootId: 'x' }),
    String(process.pid),
    '',
  ]) {
    await writeFile(path, text);
    await (await takeInstanceLock(path))[Symbol.asyncDispose]();
  }
});

test('one process cannot take it twice, but again after it let go', async (t) => {
  const path = join(await scratchDirectory(t), 'daemon.pid');
  const lock = await takeInstanceLock(path);
  await assert.rejects(takeInstanceLock(path), { name: 'LockTakenError', pid: process.pid });
  await lock[Symbol.asyncDispose]();
  await (await takeInstanceLock(path))[Symbol.asyncDispose]();
});

test('of many starters after a crash, one gets it', async (t) => {
  const path = join(await scratchDirectory(t), 'daemon.pid');
  await writeFile(path, 'left by a killed process');
  const starters = await Promise.all(Array.from({ length: 4 }, () => holder(path)));
  t.after(() => Promise.all(starters.map((starter) => starter.kill())));
  assert.deepEqual(starters.map(({ said }) => said).sort(), [
    'LockTakenError',
    'LockTakenError',
    'LockTakenError',
    'taken',
  ]);
});
