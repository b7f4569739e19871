import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createActor, SimulatedClock } from 'xstate';
import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { OtaStatus } from '#domain/status.ts';
import { createEcuMachine, statusOf } from '#update/machine.ts';
import type { EcuEvent, MachineStart } from '#update/machine-parts.ts';
import type { UpdateSteps } from '#update/steps.ts';
import { ScriptedSteps } from '../support/scripted-steps.ts';

const request = (version: string): ReleaseRequest => ({
  version,
  url: new URL('http://127.0.0.1/'),
  cookies: new Map(),
  detail: undefined,
  requestId: 'r',
});
const update: EcuEvent = { type: 'UPDATE', request: request('2') };
const rest: MachineStart = { at: 'rest', status: 'INITIALIZED', failure: undefined };
const buildSteps = ['verify', 'prepare', 'plan', 'place', 'persist'] as const;

/** Starts a machine whose time stands still unless the test moves it. */
function start(steps: UpdateSteps, from: MachineStart = rest) {
  const clock = new SimulatedClock();
  const seen: OtaStatus[] = [];
  const actor = createActor(createEcuMachine(steps), { input: from, clock });
  actor.subscribe({
    next: (snapshot) => seen.push(statusOf(snapshot)),
    error: (error: unknown) => assert.fail(String(error)),
  });
  actor.start();
  return {
    actor,
    clock,
    seen,
    get status(): OtaStatus {
      return statusOf(actor.getSnapshot());
    },
    can: (event: EcuEvent): boolean => actor.getSnapshot().can(event),
    async until(status: OtaStatus): Promise<void> {
      if (statusOf(actor.getSnapshot()) === status) return;
      const reached = Promise.withResolvers<void>();
      const subscription = actor.subscribe((snapshot) => {
        if (statusOf(snapshot) === status) reached.resolve();
      });
      await reached.promise;
      subscription.unsubscribe();
    },
  };
}

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

test('a first boot that is healthy is confirmed before SUCCESS is shown', async () => {
  const steps = new ScriptedSteps();
  const confirm = steps.hold('confirm');
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await confirm.entered;
  assert.equal(machine.status, 'UPDATING');
  assert.equal(machine.actor.getSnapshot().context.meter?.snapshot().phase, 'FINALIZING_UPDATE');
  confirm.release();
  await machine.until('SUCCESS');
  assert.deepEqual(steps.calls, ['checkHealth', 'confirm']);
  assert.ok(machine.can(update));
});

for (const [of, status, reason] of [
  ['update', 'UPDATING', /^E211: .*check web/],
  ['rollback', 'ROLLBACKING', /^E305: .*check web/],
] as const) {
  test(`a first boot of an ${of} that is not healthy is given up and rebooted`, async () => {
    const steps = new ScriptedSteps();
    steps.failures.set('checkHealth', new OtaFailure('health_check_failed', 'check web ended with 1'));
    const reboot = steps.hold('reboot');
    const machine = start(steps, { at: 'first_boot', of, version: '2' });
    await reboot.entered;
    assert.deepEqual(steps.calls, ['checkHealth', 'giveUp', 'reboot']);
    assert.match(steps.givenUp?.reason ?? '', reason);
    assert.equal(machine.status, status, 'FAILURE does not flash before the reboot');
  });
}

test('a first boot that cannot be confirmed is given up', async () => {
  const steps = new ScriptedSteps();
  steps.failures.set('confirm', new Error('boot choice is read-only'));
  const reboot = steps.hold('reboot');
  start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await reboot.entered;
  assert.match(steps.givenUp?.reason ?? '', /read-only/);
});

test('a release that was given up is never updated from, even when it cannot be rebooted', async () => {
  const steps = new ScriptedSteps();
  steps.failures
    .set('checkHealth', new OtaFailure('health_check_failed', 'check web ended with 1'))
    .set('giveUp', new Error('read-only'))
    .set('reboot', new Error('no reboot program'));
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await machine.until('FAILURE');
  assert.ok(!machine.can(update) && !machine.can({ type: 'ROLLBACK' }));
});

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
