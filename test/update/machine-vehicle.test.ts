import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { ScriptedSteps } from '../support/scripted-steps.ts';
import { start, update } from '../support/started-machine.ts';

const moving = new OtaFailure('vehicle_state', 'parked: Vehicle.Speed is 42');
const built = ['verify', 'prepare', 'plan', 'place', 'persist'] as const;
const before = {
  start: [],
  activation: built,
  reboot: [...built, 'activate', 'awaitChildren'],
} as const;

for (const point of ['start', 'activation', 'reboot'] as const) {
  test(`an update waits at ${point}, and an abort there ends in ABORTED`, async () => {
    const steps = new ScriptedSteps();
    steps.heldAt = point;
    const held = steps.hold('awaitVehicle');
    const machine = start(steps);
    machine.actor.send(update);
    const signal = await held.entered;
    assert.deepEqual(steps.calls, [...before[point], 'awaitVehicle']);
    assert.equal(machine.status, 'UPDATING');
    machine.actor.send({ type: 'ABORT' });
    assert.equal(signal?.aborted, true);
    await machine.until('ABORTED');
    assert.deepEqual(steps.recorded, [{ status: 'ABORTED', failure: undefined }]);
  });

  test(`an update goes on from ${point} when it may`, async () => {
    const steps = new ScriptedSteps();
    steps.heldAt = point;
    const [held, reboot] = [steps.hold('awaitVehicle'), steps.hold('reboot')];
    start(steps).actor.send(update);
    await held.entered;
    held.release();
    await reboot.entered;
    assert.deepEqual(steps.points, ['start', 'activation', 'reboot']);
  });

  test(`an update that waited too long at ${point} fails, and is recorded as failed`, async () => {
    const steps = new ScriptedSteps();
    steps.heldAt = point;
    steps.failures.set('awaitVehicle', moving);
    const machine = start(steps);
    machine.actor.send(update);
    await machine.until('FAILURE');
    assert.deepEqual(steps.calls, [...before[point], 'awaitVehicle', 'record']);
    assert.match(steps.recorded[0]?.failure?.reason ?? '', /^E213: .*Vehicle\.Speed is 42/);
    assert.ok(machine.can(update));
  });
}

for (const [name, point] of [
  ['activate', 'activation'],
  ['reboot', 'reboot'],
] as const) {
  test(`what changes at the last moment before ${name} is waited for again`, async () => {
    const steps = new ScriptedSteps();
    const held = steps.hold(name);
    steps.failures.set(name, moving);
    const machine = start(steps);
    machine.actor.send(update);
    await held.entered;
    const again = steps.hold(name);
    held.release();
    await again.entered;
    assert.equal(steps.points.filter((one) => one === point).length, 2);
    assert.equal(machine.status, 'UPDATING');
    assert.deepEqual(steps.recorded, []);
  });
}

test('a rollback waits at start and reboot, and can be aborted at both', async () => {
  for (const point of ['start', 'reboot'] as const) {
    const steps = new ScriptedSteps();
    steps.heldAt = point;
    const held = steps.hold('awaitVehicle');
    const machine = start(steps);
    machine.actor.send({ type: 'ROLLBACK' });
    await held.entered;
    assert.deepEqual(steps.calls, point === 'start' ? ['awaitVehicle'] : ['rollBack', 'awaitVehicle']);
    machine.actor.send({ type: 'ABORT' });
    await machine.until('ABORTED');
    assert.ok(machine.can({ type: 'ROLLBACK' }));
  }
});

test('a release that is given up is left whatever the vehicle does', async () => {
  const steps = new ScriptedSteps();
  const reboot = steps.hold('reboot');
  steps.failures.set('checkHealth', new OtaFailure('health_check_failed', 'no'));
  start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await reboot.entered;
  assert.deepEqual(steps.points, []);
});
