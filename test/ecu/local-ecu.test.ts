import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import type { SlotContents } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { EcuStatus } from '#domain/status.ts';
import { MachineEcu } from '#ecu/local-ecu.ts';
import { EcuActor } from '#update/ecu-actor.ts';
import { openGate } from '#update/gate.ts';
import { ProbeBoard } from '#update/health/probe-board.ts';
import type { MachineStart } from '#update/machine-parts.ts';
import { HandGate } from '../support/hand-gate.ts';
import { ScriptedSteps } from '../support/scripted-steps.ts';

const entry: UpdateRequestEntry = {
  ecuId: 'main',
  version: '2',
  url: 'http://127.0.0.1/',
  cookies: '',
  releaseName: '',
  releaseId: '',
  imageId: '',
};
const previous: SlotContents = {
  id: 'slot_b',
  version: '0',
  detail: undefined,
  imageDigest: '',
  intact: true,
};
const failure = { type: 'RECOVERABLE', reason: 'E100: why', traceback: '' } as const;

interface Setting {
  readonly start?: MachineStart;
  readonly rollbackTarget?: () => Promise<SlotContents>;
  readonly allowRollback?: boolean;
  readonly gate?: HandGate;
}

function openEcu(t: TestContext, steps: ScriptedSteps, setting: Setting = {}): MachineEcu {
  const start = setting.start ?? { at: 'rest', status: 'SUCCESS', failure: undefined };
  const actor = new EcuActor(steps, start, (error) => assert.fail(String(error)), setting.gate);
  actor.start();
  const ecu = new MachineEcu({
    id: 'main',
    otaclientVersion: '0.1.0',
    actor,
    running: { id: 'slot_a', version: '1', detail: undefined },
    slots: {
      bootloader: 'directory',
      rollbackTarget: setting.rollbackTarget ?? (() => Promise.resolve(previous)),
    },
    gate: setting.gate ?? openGate,
    probes: new ProbeBoard(),
    allowRollback: setting.allowRollback ?? true,
  });
  t.after(async () => {
    ecu[Symbol.dispose]();
    await actor[Symbol.asyncDispose]();
  });
  return ecu;
}

/** Resolves with the first status that is told and fits. */
function told(ecu: MachineEcu, fits: (status: EcuStatus) => boolean): Promise<EcuStatus> {
  const { promise, resolve } = Promise.withResolvers<EcuStatus>();
  const stop = ecu.subscribe((status) => {
    if (fits(status)) resolve(status);
  });
  return promise.finally(stop);
}

test('an accepted update shows UPDATING in the same tick', (t) => {
  const steps = new ScriptedSteps();
  steps.hold('verify');
  const ecu = openEcu(t, steps, { start: { at: 'rest', status: 'FAILURE', failure } });
  assert.deepEqual(ecu.status().failure, failure);
  assert.deepEqual(ecu.update(entry, 'r'), { ecuId: 'main', result: 'NO_FAILURE', message: '' });
  const { status, progress, firmwareVersion, failure: shown } = ecu.status();
  assert.deepEqual(
    [status, progress?.targetVersion, firmwareVersion, shown],
    ['UPDATING', '2', '1', undefined],
  );
});

test('a busy ECU says RECOVERABLE and what it does', async (t) => {
  const steps = new ScriptedSteps();
  const held = steps.hold('place');
  const ecu = openEcu(t, steps);
  ecu.update(entry, 'r');
  await held.entered;
  for (const answer of [ecu.update(entry, 'r'), await ecu.rollback('r')]) {
    assert.equal(answer.result, 'RECOVERABLE');
    assert.match(answer.message, /^E201: busy: updating to version 2 \(placing\); wait/);
  }
});

test('a vehicle in no state for it refuses update and rollback with the reasons, and Status shows them', async (t) => {
  const gate = new HandGate();
  const ecu = openEcu(t, new ScriptedSteps(), { gate });
  const moves = told(ecu, ({ waitingFor }) => waitingFor.length > 0);
  gate.set('start', 'parked: stands (Vehicle.Speed is 42, 0.1 s old)');
  assert.deepEqual((await moves).waitingFor, ['parked: stands (Vehicle.Speed is 42, 0.1 s old)']);
  for (const answer of [ecu.update(entry, 'r'), await ecu.rollback('r')]) {
    assert.equal(answer.result, 'RECOVERABLE');
    assert.equal(answer.blocked, true);
    assert.match(answer.message, /^E213: .*Vehicle\.Speed is 42, 0\.1 s old\); nothing was begun; /);
  }
  assert.equal(ecu.status().status, 'SUCCESS');
  gate.holdsRollbacks = false;
  assert.equal((await ecu.rollback('r')).result, 'NO_FAILURE');
});

test('an update that may wait is taken, and shows what it waits for', async (t) => {
  const [gate, steps] = [new HandGate(), new ScriptedSteps()];
  gate.waitMs.start = 1000;
  gate.set('start', 'parked: no');
  const held = steps.hold('awaitVehicle');
  const ecu = openEcu(t, steps, { gate });
  const accepted = { ecuId: 'main', result: 'NO_FAILURE', message: 'accepted, and waits for parked: no' };
  assert.deepEqual(ecu.update(entry, 'r'), accepted);
  await held.entered;
  assert.deepEqual(ecu.status().waitingFor, ['parked: no']);
  gate.set('start');
  assert.deepEqual(ecu.status().waitingFor, []);
  assert.match(ecu.update(entry, 'r').message, /^E201: busy: updating to version 2 \(awaiting start\)/);
});

test('an invalid request is refused before anything starts', (t) => {
  const steps = new ScriptedSteps();
  const ecu = openEcu(t, steps);
  const answer = ecu.update({ ...entry, url: 'nowhere' }, 'r');
  assert.equal(answer.result, 'UNRECOVERABLE');
  assert.match(answer.message, /^E308: /);
  assert.equal(ecu.status().status, 'SUCCESS');
  assert.deepEqual(steps.calls, []);
});

test('ClientUpdate is answered as unsupported and changes nothing', (t) => {
  const ecu = openEcu(t, new ScriptedSteps());
  const answer = ecu.clientUpdate(entry, 'r');
  assert.equal(answer.result, 'RECOVERABLE');
  assert.match(answer.message, /^E206: /);
  assert.equal(ecu.status().status, 'SUCCESS');
});

test('an abort is answered when the update has stopped', async (t) => {
  const steps = new ScriptedSteps();
  const held = steps.hold('place');
  const ecu = openEcu(t, steps);
  ecu.update(entry, 'r');
  await held.entered;
  const answers = await Promise.all([ecu.abort('r'), ecu.abort('again')]);
  for (const answer of answers)
    assert.deepEqual(answer, { ecuId: 'main', result: 'NO_FAILURE', message: '' });
  assert.equal(ecu.status().status, 'ABORTED');
  assert.equal(ecu.status().progress, undefined);
});

test('an abort says why it is refused', async (t) => {
  const steps = new ScriptedSteps();
  const ecu = openEcu(t, steps);
  assert.match((await ecu.abort('r')).message, /no update is running/);
  const held = steps.hold('activate');
  ecu.update(entry, 'r');
  await held.entered;
  const answer = await ecu.abort('r');
  assert.equal(answer.result, 'RECOVERABLE');
  assert.match(answer.message, /too late to abort: updating to version 2 \(activating\)/);
});

test('an abort in a rollback is refused', async (t) => {
  const steps = new ScriptedSteps();
  steps.hold('rollBack');
  const ecu = openEcu(t, steps);
  assert.equal((await ecu.rollback('r')).result, 'NO_FAILURE');
  assert.equal(ecu.status().status, 'ROLLBACKING');
  assert.match((await ecu.abort('r')).message, /rollback cannot be aborted/);
});

test('an abort that is cut off by the end of the daemon is answered', async (t) => {
  const steps = new ScriptedSteps();
  const held = steps.hold('place', 'stubborn');
  const ecu = openEcu(t, steps);
  ecu.update(entry, 'r');
  await held.entered;
  const answer = ecu.abort('r');
  ecu[Symbol.dispose]();
  await answer;
  held.release();
});

test('a rollback without an intact release is refused with the reason', async (t) => {
  const ecu = openEcu(t, new ScriptedSteps(), {
    rollbackTarget: () => Promise.reject(new BootError('rollback_refused', 'slot_b has been written to')),
  });
  const answer = await ecu.rollback('r');
  assert.equal(answer.result, 'RECOVERABLE');
  assert.match(answer.message, /^E202: .*slot_b has been written to/);
  assert.equal(ecu.status().status, 'SUCCESS');
});

test('a rollback that is switched off is refused', async (t) => {
  const answer = await openEcu(t, new ScriptedSteps(), { allowRollback: false }).rollback('r');
  assert.match(answer.message, /^E202: .*allow\.rollback/);
});

test('of two rollbacks at once, one is taken', async (t) => {
  const steps = new ScriptedSteps();
  steps.hold('rollBack');
  const ecu = openEcu(t, steps);
  const answers = await Promise.all([ecu.rollback('a'), ecu.rollback('b')]);
  assert.deepEqual(answers.map(({ result }) => result).sort(), ['NO_FAILURE', 'RECOVERABLE']);
});

test('a failed update tells its failure once it is recorded', async (t) => {
  const steps = new ScriptedSteps();
  steps.failures.set(
    'verify',
    new OtaFailure('image_untrusted', 'no root', { cause: new Error('empty store') }),
  );
  const ecu = openEcu(t, steps);
  const failed = told(ecu, ({ status }) => status === 'FAILURE');
  ecu.update(entry, 'r');
  const { failure: shown, progress } = await failed;
  assert.match(shown?.reason ?? '', /^E309: .*no root/);
  assert.equal(shown?.traceback, 'Error: empty store');
  assert.equal(progress, undefined);
});

test('progress is told at most every 200 ms, and its last change too; nobody listening costs nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const steps = new ScriptedSteps();
  const held = steps.hold('place');
  const ecu = openEcu(t, steps);
  ecu.update(entry, 'r');
  await held.entered;
  let count = 0;
  const stop = ecu.subscribe(() => count++);
  t.mock.timers.tick(199);
  assert.equal(count, 0);
  t.mock.timers.tick(1);
  assert.equal(count, 1);
  t.mock.timers.tick(1000);
  assert.equal(count, 6);
  stop();
  t.mock.timers.tick(1000);
  assert.equal(count, 6);
});

test('a change of phase is told at once', async (t) => {
  const steps = new ScriptedSteps();
  const held = steps.hold('activate');
  const ecu = openEcu(t, steps);
  const phases = new Set<string | undefined>();
  ecu.subscribe(({ progress }) => phases.add(progress?.phase));
  ecu.update(entry, 'r');
  await held.entered;
  assert.deepEqual([...phases], ['INITIALIZING', 'PROCESSING_POSTUPDATE']);
});
