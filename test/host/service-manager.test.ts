import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceManager } from '#host/service-manager.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { programsOnPath } from '../support/programs.ts';

const notify = { 'systemd-notify': 'echo "$NOTIFY_SOCKET $*" >> said' };

async function said(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, 'said'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

test('everything is said in its order, and a status only when it is another one', async (t) => {
  const directory = await programsOnPath(t, notify);
  {
    await using manager = ServiceManager.take({ NOTIFY_SOCKET: '/run/n' }, new MemoryLog());
    manager.ready(() => true);
    manager.status('UPDATING');
    manager.status('UPDATING');
    manager.status('two\nlines');
    manager.stopping();
  }
  const words = ['READY=1', 'STATUS=UPDATING', 'STATUS=two lines', 'STOPPING=1'];
  assert.deepEqual(
    await said(directory),
    words.map((word) => `/run/n ${word}`),
  );
});

test('nothing is started where no service manager listens', async (t) => {
  const directory = await programsOnPath(t, notify);
  {
    await using manager = ServiceManager.take({ WATCHDOG_USEC: '2000' }, new MemoryLog());
    manager.ready(() => true);
    manager.stopping();
    assert.equal(manager.watchdogMs, 0);
    await delay(20);
  }
  assert.deepEqual(await said(directory), []);
});

test('signs of life come twice in the time that the watchdog waits, as long as the daemon is alive', async (t) => {
  const directory = await programsOnPath(t, notify);
  let alive = true;
  const env = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '60000', WATCHDOG_PID: String(process.pid) };
  await using manager = ServiceManager.take(env, new MemoryLog());
  assert.equal(manager.watchdogMs, 30);
  manager.ready(() => alive);
  const count = async () => (await said(directory)).filter((line) => line.endsWith('WATCHDOG=1')).length;
  while ((await count()) < 3) await delay(5);
  alive = false;
  await delay(60);
  const before = await count();
  await delay(120);
  assert.equal(await count(), before);
});

test('a watchdog that is meant for another process is left to that one', () => {
  const env = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '60000', WATCHDOG_PID: '1' };
  assert.equal(ServiceManager.take(env, new MemoryLog()).watchdogMs, 0);
});

test('programs that the daemon starts cannot speak for it', () => {
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) process.env[name] = '1';
  ServiceManager.take(process.env, new MemoryLog());
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'])
    assert.ok(!(name in process.env), name);
});

test('a service manager that cannot be told is logged once, and hinders nothing', async (t) => {
  await programsOnPath(t, { 'systemd-notify': 'echo "no such socket" >&2; exit 1' });
  const log = new MemoryLog();
  {
    await using manager = ServiceManager.take({ NOTIFY_SOCKET: '/run/n' }, log);
    manager.status('a');
    manager.status('b');
  }
  assert.deepEqual(log.lines.length, 1);
  assert.match(log.lines[0] ?? '', /could not be told .*ended with exit code 1: no such socket/);
});
