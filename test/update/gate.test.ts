import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GateWait, isHeldBack, refusalAt } from '#update/gate.ts';
import { HandGate } from '../support/hand-gate.ts';

const never = new AbortController().signal;

test('a refusal names what is not fulfilled, and that nothing was done', () => {
  const gate = new HandGate();
  assert.equal(refusalAt(gate, 'start'), undefined);
  gate.set('start', 'parked: Vehicle.Speed is 42', 'charged: no value');
  const refusal = refusalAt(gate, 'start');
  assert.ok(isHeldBack(refusal));
  assert.equal(refusal?.type, 'RECOVERABLE');
  assert.match(
    refusal?.reason ?? '',
    /^E213: .*parked: Vehicle\.Speed is 42; charged: no value; nothing was begun/,
  );
});

test('who waits goes on in the moment in which nothing speaks against it any more', async () => {
  const gate = new HandGate();
  gate.set('reboot', 'parked: no');
  const wait = new GateWait(gate);
  const passed = wait.pass('reboot', never);
  assert.equal(gate.listeners, 1);
  gate.set('reboot', 'still: no');
  assert.throws(() => wait.look('reboot'), isHeldBack);
  gate.set('reboot');
  await passed;
  assert.equal(gate.listeners, 0, 'nobody listens any more');
  wait.look('reboot');
});

test('who waits too long fails, also when the time was used up in several goes; a new job has its own', async () => {
  const gate = new HandGate();
  gate.waitMs.activation = 300;
  gate.set('activation', 'parked: no');
  const wait = new GateWait(gate);
  const begun = performance.now();
  const first = wait.pass('activation', never);
  gate.set('activation');
  await first;
  gate.set('activation', 'parked: no');
  await assert.rejects(wait.pass('activation', never), isHeldBack);
  assert.ok(performance.now() - begun >= 299);
  const late = performance.now();
  await assert.rejects(wait.pass('activation', never), isHeldBack);
  assert.ok(performance.now() - late < 200, 'its time is over');
  wait.begin();
  const fresh = wait.pass('activation', never);
  gate.set('activation');
  await fresh;
});

test('without time to wait it fails at once, and an abort ends the waiting with its reason', async () => {
  const gate = new HandGate();
  gate.waitMs.reboot = 0;
  gate.set('reboot', 'parked: no');
  await assert.rejects(new GateWait(gate).pass('reboot', never), isHeldBack);
  gate.set('activation', 'parked: no');
  const abort = new AbortController();
  const waiting = new GateWait(gate).pass('activation', abort.signal);
  const reason = new Error('stopped');
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(gate.listeners, 0);
});
