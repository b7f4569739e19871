import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { probeFailed } from '#update/health/trial-failure.ts';
import { ScriptedSteps } from '../support/scripted-steps.ts';
import { start, update } from '../support/started-machine.ts';

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

test('a first boot that is never decided is given up when its time is over', async () => {
  const steps = new ScriptedSteps();
  const [check, reboot] = [steps.hold('checkHealth', 'stubborn'), steps.hold('reboot')];
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  const signal = await check.entered;
  machine.clock.increment(steps.firstBootLimitMs - 1);
  assert.deepEqual(steps.calls, ['checkHealth']);
  machine.clock.increment(1);
  await reboot.entered;
  assert.equal(signal?.aborted, true);
  assert.match(steps.givenUp?.reason ?? '', /^E211: .*its first boot took longer/);
  assert.equal(steps.trialEnd?.cause, 'not_decided');
});

test('a confirmation or a giving-up that hangs does not keep the ECU from rebooting', async () => {
  const steps = new ScriptedSteps();
  const [confirm, giveUp] = [steps.hold('confirm', 'stubborn'), steps.hold('giveUp', 'stubborn')];
  const reboot = steps.hold('reboot');
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await confirm.entered;
  machine.clock.increment(600_000);
  await giveUp.entered;
  assert.equal(steps.trialEnd?.cause, 'not_confirmed');
  machine.clock.increment(600_000);
  await reboot.entered;
});

test('a reboot that never comes leaves a machine that is not alive, for the service manager to end', async () => {
  const steps = new ScriptedSteps();
  steps.failures.set('checkHealth', new OtaFailure('health_check_failed', 'check web ended with 1'));
  const reboot = steps.hold('reboot');
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await reboot.entered;
  machine.clock.increment(600_000);
  assert.ok(machine.actor.getSnapshot().matches('hung'));
  assert.equal(machine.status, 'FAILURE');
});

test('why a probe failed is handed on with all its parts', async () => {
  const steps = new ScriptedSteps();
  const probe = { name: 'web', kind: 'tcp', target: 'h:1', how: 'failed', output: 'long' };
  for (const kind of ['update', 'rollback'] as const) {
    steps.failures.set('checkHealth', probeFailed(probe));
    const reboot = steps.hold('reboot');
    start(steps, { at: 'first_boot', of: kind, version: '2' });
    await reboot.entered;
    assert.deepEqual(steps.trialEnd, {
      cause: 'probe_failed',
      detail: 'check web failed (long)',
      probe,
    });
  }
});

test('when reboots do not lead away from a release, it is not rebooted, nor updated from', async () => {
  const steps = new ScriptedSteps();
  steps.rebootHelps = false;
  steps.failures.set('checkHealth', new OtaFailure('health_check_failed', 'check web ended with 1'));
  const machine = start(steps, { at: 'first_boot', of: 'update', version: '2' });
  await machine.until('FAILURE');
  assert.deepEqual(steps.calls, ['checkHealth', 'giveUp']);
  assert.ok(!machine.can(update) && !machine.can({ type: 'ROLLBACK' }));
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
