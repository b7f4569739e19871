import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { ScriptedSteps } from '../support/scripted-steps.ts';
import { request, start, update } from '../support/started-machine.ts';

const buildSteps = ['verify', 'prepare', 'plan', 'place', 'persist'] as const;

test('an update runs every step in its order and ends in the reboot, still UPDATING', async () => {
  const steps = new ScriptedSteps();
  const reboot = steps.hold('reboot');
  const machine = start(steps);
  machine.actor.send(update);
  assert.equal(machine.status, 'UPDATING', 'in the same tick');
  await reboot.entered;
  assert.deepEqual(steps.calls, [...buildSteps, 'activate', 'awaitChildren', 'reboot']);
  assert.deepEqual(steps.releases, [{ version: '2', detail: undefined, imageDigest: 'd1' }]);
  reboot.release();
  await Promise.resolve();
  assert.equal(machine.status, 'UPDATING');
  assert.ok(!machine.can(update) && !machine.can({ type: 'ABORT' }) && !machine.can({ type: 'ROLLBACK' }));
});

for (const name of [...buildSteps, 'activate', 'reboot'] as const) {
  test(`a failure of ${name} is recorded before it is shown, and the ECU is updatable again`, async () => {
    const steps = new ScriptedSteps();
    steps.failures.set(name, new OtaFailure('placing', 'disk broke'));
    const record = steps.hold('record');
    const machine = start(steps);
    machine.actor.send(update);
    await record.entered;
    assert.equal(machine.status, 'UPDATING');
    record.release();
    await machine.until('FAILURE');
    assert.equal(steps.recorded[0]?.status, 'FAILURE');
    assert.match(steps.recorded[0]?.failure?.reason ?? '', /^E313: .*disk broke/);
    assert.match(machine.actor.getSnapshot().context.failure?.reason ?? '', /disk broke/);
    assert.ok(machine.can(update));
  });
}

test('children that cannot be awaited do not keep a switched release from booting', async () => {
  const steps = new ScriptedSteps();
  steps.failures.set('awaitChildren', new Error('defect'));
  const reboot = steps.hold('reboot');
  start(steps).actor.send(update);
  await reboot.entered;
});

for (const name of buildSteps) {
  test(`an abort during ${name} stops the step and ends in ABORTED, updatable again`, async () => {
    const steps = new ScriptedSteps();
    const held = steps.hold(name);
    const machine = start(steps);
    machine.actor.send(update);
    const signal = await held.entered;
    machine.actor.send({ type: 'ABORT' });
    assert.equal(machine.status, 'ABORTING');
    assert.equal(signal?.aborted, true);
    await machine.until('ABORTED');
    assert.deepEqual(steps.recorded, [{ status: 'ABORTED', failure: undefined }]);
    assert.deepEqual(steps.calls.at(-1), 'record');

    const reboot = steps.hold('reboot');
    machine.actor.send({ type: 'UPDATE', request: request('3') });
    await reboot.entered;
    assert.equal(steps.releases[0]?.version, '3');
  });
}

for (const name of ['activate', 'awaitChildren', 'reboot'] as const) {
  test(`an abort during ${name} is refused`, async () => {
    const steps = new ScriptedSteps();
    const held = steps.hold(name);
    const machine = start(steps);
    machine.actor.send(update);
    await held.entered;
    assert.ok(!machine.can({ type: 'ABORT' }));
    machine.actor.send({ type: 'ABORT' });
    assert.equal(machine.status, 'UPDATING');
  });
}

test('a step that does not let go is left behind after 4 s, and its late result is ignored', async () => {
  const steps = new ScriptedSteps();
  const held = steps.hold('place', 'stubborn');
  const machine = start(steps);
  machine.actor.send(update);
  await held.entered;
  machine.actor.send({ type: 'ABORT' });
  machine.clock.increment(3999);
  assert.equal(machine.status, 'ABORTING');
  machine.clock.increment(1);
  await machine.until('ABORTED');
  held.release();
  await machine.actor.getSnapshot().context.job?.settled();
  assert.equal(machine.status, 'ABORTED');
  assert.equal(machine.actor.getSnapshot().context.staged, undefined);
});

test('the next update touches the slots only after a step that was left behind has let go', async () => {
  const steps = new ScriptedSteps();
  const late = steps.hold('place', 'stubborn');
  const machine = start(steps);
  machine.actor.send(update);
  await late.entered;
  machine.actor.send({ type: 'ABORT' });
  machine.clock.increment(4000);
  await machine.until('ABORTED');

  const reboot = steps.hold('reboot');
  const [first, second] = [steps.hold('verify'), steps.hold('prepare')];
  machine.actor.send(update);
  await first.entered;
  first.release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(steps.calls.at(-1), 'verify', 'it waits');
  late.release();
  await second.entered;
  second.release();
  await reboot.entered;
});

test('an abort that cannot be recorded ends in FAILURE', async () => {
  const steps = new ScriptedSteps();
  steps.failures.set('record', new Error('disk is read-only'));
  const held = steps.hold('verify');
  const machine = start(steps);
  machine.actor.send(update);
  await held.entered;
  machine.actor.send({ type: 'ABORT' });
  await machine.until('FAILURE');
  assert.match(machine.actor.getSnapshot().context.failure?.reason ?? '', /read-only/);
});

test('a failure that cannot be recorded is shown all the same', async () => {
  const steps = new ScriptedSteps();
  steps.failures.set('verify', new OtaFailure('network', 'no route')).set('record', new Error('read-only'));
  const machine = start(steps);
  machine.actor.send(update);
  await machine.until('FAILURE');
  assert.match(machine.actor.getSnapshot().context.failure?.reason ?? '', /E100.*no route/);
});

test('a rollback switches and reboots, ROLLBACKING all the time', async () => {
  const steps = new ScriptedSteps();
  const reboot = steps.hold('reboot');
  const machine = start(steps);
  machine.actor.send({ type: 'ROLLBACK' });
  assert.equal(machine.status, 'ROLLBACKING');
  await reboot.entered;
  assert.deepEqual(steps.calls, ['rollBack', 'reboot']);
  assert.ok(!machine.can(update) && !machine.can({ type: 'ABORT' }));
});

for (const name of ['rollBack', 'reboot'] as const) {
  test(`a rollback whose ${name} fails ends in ROLLBACK_FAILURE`, async () => {
    const steps = new ScriptedSteps();
    steps.failures.set(name, new OtaFailure('boot_control_activate', 'no boot loader'));
    const machine = start(steps);
    machine.actor.send({ type: 'ROLLBACK' });
    await machine.until('ROLLBACK_FAILURE');
    assert.equal(steps.recorded[0]?.status, 'ROLLBACK_FAILURE');
    assert.match(steps.recorded[0]?.failure?.reason ?? '', /^E305: .*no boot loader/);
  });
}

test('every ordinary start shows its status and takes requests', () => {
  const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;
  for (const status of ['INITIALIZED', 'SUCCESS', 'FAILURE', 'ROLLBACK_FAILURE', 'ABORTED'] as const) {
    const machine = start(new ScriptedSteps(), { at: 'rest', status, failure });
    assert.equal(machine.status, status);
    assert.ok(machine.can(update) && machine.can({ type: 'ROLLBACK' }) && !machine.can({ type: 'ABORT' }));
    const shown = machine.actor.getSnapshot().context.failure;
    assert.deepEqual(shown, status === 'SUCCESS' || status === 'ABORTED' ? undefined : failure);
  }
});

test('a new update clears the last failure', () => {
  const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;
  const steps = new ScriptedSteps();
  steps.hold('verify');
  const machine = start(steps, { at: 'rest', status: 'FAILURE', failure });
  machine.actor.send(update);
  assert.equal(machine.actor.getSnapshot().context.failure, undefined);
});

test('phases go forward only, whatever the machine and the steps enter', async () => {
  const steps = new ScriptedSteps();
  const [persist, activate, reboot] = [steps.hold('persist'), steps.hold('activate'), steps.hold('reboot')];
  const machine = start(steps);
  const phase = (): string | undefined => machine.actor.getSnapshot().context.meter?.snapshot().phase;
  machine.actor.send(update);
  assert.equal(phase(), 'INITIALIZING');
  await persist.entered;
  assert.equal(phase(), 'PROCESSING_POSTUPDATE');
  persist.release();
  await activate.entered;
  activate.release();
  await reboot.entered;
  assert.equal(phase(), 'FINALIZING_UPDATE');
});
