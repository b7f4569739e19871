import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HandGate } from '../support/hand-gate.ts';
import { openEcu, reached, request, running } from '../support/one-file-ecu.ts';

for (const point of ['start', 'activation', 'reboot'] as const) {
  test(`an update that waits at ${point} can be stopped, and every slot is as before`, async (t) => {
    const gate = new HandGate();
    gate.waitMs.start = 60_000;
    const boot = await openEcu(t, [], gate);
    const life = await boot();
    gate.set(point, 'parked: no');
    const waiting = reached(life, ({ waitingFor, status }) => status === 'UPDATING' && waitingFor.length > 0);
    life.actor.send({ type: 'UPDATE', request: request('2') });
    await waiting;
    life.actor.send({ type: 'ABORT' });
    await life.until('ABORTED');
    const next = await boot();
    assert.equal(next.actor.activity().status, 'ABORTED');
    assert.equal(await running(next.slots), '1');
  });

  test(`an update whose time to wait at ${point} is over fails, and the old release boots on`, async (t) => {
    const gate = new HandGate();
    gate.waitMs[point] = 50;
    const boot = await openEcu(t, [], gate);
    const life = await boot();
    gate.set(point, 'parked: no');
    life.actor.send({ type: 'UPDATE', request: request('2') });
    await life.until('FAILURE');
    assert.match(life.actor.activity().failure?.reason ?? '', /^E213: .*parked: no; it was waited for 0 s; /);
    const next = await boot();
    assert.equal(next.actor.activity().status, 'FAILURE');
    assert.match(next.actor.activity().failure?.reason ?? '', /^E213: /);
    assert.equal(await running(next.slots), '1');
  });
}

test('what changes right before the act is seen: nothing is switched, nothing rebooted, until it may', async (t) => {
  const gate = new HandGate();
  // The step runs: it was allowed a moment ago.
  const left = new Set(['activate', 'reboot']);
  const boot = await openEcu(t, [], gate, (step) => {
    if (left.delete(step)) gate.set(step === 'activate' ? 'activation' : 'reboot', 'parked: no');
  });
  const life = await boot();
  const once = async (): Promise<unknown> =>
    JSON.parse(await readFile(join(life.slots.activeRoot, '../boot.json'), 'utf8')).once;
  life.actor.send({ type: 'UPDATE', request: request('2') });
  await reached(life, ({ waitingFor }) => waitingFor.length > 0);
  assert.equal(await once(), null);
  gate.set('activation');
  await reached(life, ({ waitingFor }) => waitingFor.length > 0);
  assert.equal(await once(), 'slot_b');
  const soon = new Promise<string>((resolve) => setImmediate(resolve, 'waits'));
  assert.equal(await Promise.race([life.rebooted.then(() => 'rebooted'), soon]), 'waits');
  gate.set('reboot');
  await life.rebooted;
});

test('a power cut after the switch was held back at the last moment is no fault of the release', async (t) => {
  const gate = new HandGate();
  const left = new Set(['activate']);
  const boot = await openEcu(t, [], gate, (step) => {
    if (left.delete(step)) gate.set('activation', 'parked: no');
  });
  const life = await boot();
  life.actor.send({ type: 'UPDATE', request: request('2') });
  await reached(life, ({ waitingFor }) => waitingFor.length > 0);
  await gate.isWaitedAt();
  await life.actor[Symbol.asyncDispose]();
  const next = await boot();
  assert.match(
    next.actor.activity().failure?.reason ?? '',
    /^E210: .*cut off while waiting until the vehicle/,
  );
  gate.set('activation');
  next.actor.send({ type: 'UPDATE', request: request('2') });
  await next.rebooted;
  const third = await boot();
  await third.until('SUCCESS');
});

test('a daemon that ends while an update waits to be switched to says so at its next start, and blames no release', async (t) => {
  const gate = new HandGate();
  const boot = await openEcu(t, [], gate);
  const life = await boot();
  gate.set('activation', 'parked: no');
  const waiting = reached(life, ({ waitingFor, status }) => status === 'UPDATING' && waitingFor.length > 0);
  life.actor.send({ type: 'UPDATE', request: request('2') });
  await waiting;
  await gate.isWaitedAt();
  await life.actor[Symbol.asyncDispose]();
  const next = await boot();
  assert.equal(next.actor.activity().status, 'FAILURE');
  assert.match(
    next.actor.activity().failure?.reason ?? '',
    /^E210: .*cut off while waiting until the vehicle/,
  );
  gate.set('activation');
  next.actor.send({ type: 'UPDATE', request: request('2') });
  await next.rebooted;
  const third = await boot();
  await third.until('SUCCESS');
  assert.equal(await running(third.slots), '2');
});

test('a power cut while the reboot is waited with boots the new release, on trial', async (t) => {
  const gate = new HandGate();
  const boot = await openEcu(t, [], gate);
  const life = await boot();
  gate.set('reboot', 'parked: no');
  const waiting = reached(life, ({ waitingFor, status }) => status === 'UPDATING' && waitingFor.length > 0);
  life.actor.send({ type: 'UPDATE', request: request('2') });
  await waiting;
  await gate.isWaitedAt();
  await life.actor[Symbol.asyncDispose]();
  const next = await boot();
  await next.until('SUCCESS');
  assert.equal(await running(next.slots), '2');
});

test('a rollback that is stopped while its reboot waits leaves both releases with their own files', async (t) => {
  const gate = new HandGate();
  const boot = await openEcu(t, ['/data'], gate);
  const first = await boot();
  const old = join(first.slots.activeRoot, 'data');
  await writeFile(old, 'of release 1');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await writeFile(join(second.slots.activeRoot, 'data'), 'of release 2');
  gate.set('reboot', 'parked: no');
  const waiting = reached(
    second,
    ({ waitingFor, status }) => status === 'ROLLBACKING' && waitingFor.length > 0,
  );
  second.actor.send({ type: 'ROLLBACK' });
  await waiting;
  assert.equal(await readFile(old, 'utf8'), 'of release 2');
  second.actor.send({ type: 'ABORT' });
  await second.until('ABORTED');
  assert.equal(await readFile(old, 'utf8'), 'of release 1');
  const third = await boot();
  assert.equal(await running(third.slots), '2');
  gate.set('reboot');
  third.actor.send({ type: 'ROLLBACK' });
  await third.rebooted;
  const fourth = await boot();
  await fourth.until('SUCCESS');
  assert.equal(await running(fourth.slots), '1');
});
