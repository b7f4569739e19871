import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import type { EcuAnswer, IncomingCall } from '#ecu/ecu.ts';
import { HandGate } from '../support/hand-gate.ts';
import {
  type LoopbackEcu,
  type LoopbackEcuOptions,
  loopbackEcu,
  whenKnown,
} from '../support/loopback-ecu.ts';
import { type Script, scriptedPeer } from '../support/scripted-peer.ts';

const never = new AbortController().signal;
const agent: IncomingCall = { signal: never, budgetMs: 5000, caller: 'agent' };

function updateOf(...ids: string[]) {
  return {
    entries: ids.map((ecuId) => ({
      ecuId,
      version: `2-${ecuId}`,
      url: 'http://127.0.0.1/',
      cookies: '',
      releaseName: '',
      releaseId: '',
      imageId: '',
    })),
    requestId: 'r1',
  };
}

const words = (answers: readonly EcuAnswer[]) => answers.map(({ ecuId, result }) => `${ecuId} ${result}`);
const named = (...ecuIds: string[]) => ({ ecuIds, requestId: 'r1' });

/** main - c1 - g1, and main - c2; everything real but the local ECUs. */
async function vehicle(t: TestContext, options: LoopbackEcuOptions = {}) {
  const g1 = await loopbackEcu(t, 'g1');
  const c1 = await loopbackEcu(t, 'c1', { children: [g1] });
  const c2 = await loopbackEcu(t, 'c2');
  const main = await loopbackEcu(t, 'main', {
    children: [c1, c2],
    availableEcuIds: ['main', 'c1', 'c2', 'g1'],
    ...options,
  });
  await whenKnown(main, () => main.store.report()?.ecus.length === 4);
  return { main, c1, c2, g1 };
}

async function scriptedChild(t: TestContext, ecuId: string, script: Script) {
  const { port } = await scriptedPeer(t, script);
  return { ecuId, host: '127.0.0.1', port };
}

const statusOf = (ecu: LoopbackEcu, id: string) =>
  ecu.vehicle.status()?.ecus.find(({ ecuId }) => ecuId === id)?.status;

describe('an Update of the whole vehicle', () => {
  it('reaches every named ECU once with its own entry and the same request id', async (t) => {
    const { main, c1, c2, g1 } = await vehicle(t);
    const answers = await main.vehicle.update(updateOf('g1', 'main', 'c1', 'c2', 'g1'), agent);
    assert.deepEqual(words(answers), ['g1 NO_FAILURE', 'main NO_FAILURE', 'c1 NO_FAILURE', 'c2 NO_FAILURE']);
    assert.deepEqual(
      [main, c1, c2, g1].map(({ local }) => local.asked),
      [['update 2-main r1'], ['update 2-c1 r1'], ['update 2-c2 r1'], ['update 2-g1 r1']],
    );
  });

  it('shows in Status as soon as it is answered, down to the last ECU', async (t) => {
    const { main } = await vehicle(t, { idleMs: 60_000 });
    await main.vehicle.update(updateOf('main', 'c1', 'c2', 'g1'), agent);
    assert.deepEqual(
      ['main', 'c1', 'c2', 'g1'].map((id) => statusOf(main, id)),
      ['UPDATING', 'UPDATING', 'UPDATING', 'UPDATING'],
    );
  });

  it('makes up a request id where there is none, the same for all', async (t) => {
    const { main, c1, g1 } = await vehicle(t);
    await main.vehicle.update({ ...updateOf('main', 'c1', 'g1'), requestId: '' }, agent);
    const [id] = (main.local.asked[0] ?? '').match(/\d{10}-[0-9a-f]{8}$/) ?? [];
    assert.ok(id);
    assert.deepEqual([c1.local.asked, g1.local.asked], [[`update 2-c1 ${id}`], [`update 2-g1 ${id}`]]);
  });

  it('of nobody is answered by nobody', async (t) => {
    const { main, c1 } = await vehicle(t);
    assert.deepEqual(await main.vehicle.update(updateOf(), agent), []);
    assert.deepEqual(c1.local.asked, []);
  });
});

describe('an Update of one ECU', () => {
  it('goes to a grandchild although its parent is not named', async (t) => {
    const { main, c1, c2, g1 } = await vehicle(t);
    assert.deepEqual(words(await main.vehicle.update(updateOf('g1'), agent)), ['g1 NO_FAILURE']);
    assert.deepEqual([c1.local.asked, c2.local.asked, g1.local.asked.length], [[], [], 1]);
  });

  it('goes to a listed grandchild that nobody has reported yet', async (t) => {
    const c1 = await scriptedChild(t, 'c1', {
      status: () => ({}),
      update: ({ ecu }) => ({ ecu: ecu.map(({ ecuId }) => ({ ecuId })) }),
    });
    const c2 = await loopbackEcu(t, 'c2');
    const main = await loopbackEcu(t, 'main', { children: [c2, c1], availableEcuIds: ['main', 'g1'] });
    assert.deepEqual(words(await main.vehicle.update(updateOf('g1'), agent)), ['g1 NO_FAILURE']);
    assert.deepEqual(c2.local.asked, []);
  });

  it('that nobody knows is answered with a message, and bothers no child', async (t) => {
    const { main, c1, c2 } = await vehicle(t);
    const [answer, ...others] = await main.vehicle.update(updateOf('nosuch'), agent);
    assert.deepEqual(others, []);
    assert.equal(answer?.result, 'RECOVERABLE');
    assert.match(answer?.message ?? '', /unknown ECU nosuch/);
    assert.deepEqual([c1.local.asked, c2.local.asked], [[], []]);
  });

  it('that is busy is refused by that ECU itself', async (t) => {
    const { main } = await vehicle(t);
    await main.vehicle.update(updateOf('c1'), agent);
    const [answer] = await main.vehicle.update(updateOf('c1'), agent);
    assert.deepEqual(answer, { ecuId: 'c1', result: 'RECOVERABLE', message: 'busy' });
  });
});

describe('a child', () => {
  it('that is gone gets its own entry, what lies below it none, and the others are not touched', async (t) => {
    const { main, c1 } = await vehicle(t);
    await c1.stop();
    const answers = await main.vehicle.update(updateOf('main', 'c1', 'g1', 'c2'), agent);
    assert.deepEqual(words(answers), ['main NO_FAILURE', 'c1 RECOVERABLE', 'c2 NO_FAILURE']);
    assert.match(answers[1]?.message ?? '', /c1 is not reachable/);
  });

  it('that hangs costs its own entry only, and the caller is answered in time', async (t) => {
    const c1 = await scriptedChild(t, 'c1', { update: () => 'silence', status: () => 'silence' });
    const c2 = await loopbackEcu(t, 'c2');
    const main = await loopbackEcu(t, 'main', { children: [c1, c2] });
    const begun = performance.now();
    const answers = await main.vehicle.update(updateOf('c1', 'main', 'c2'), { ...agent, budgetMs: 1000 });
    assert.ok(performance.now() - begun < 1000);
    assert.deepEqual(words(answers), ['c1 RECOVERABLE', 'main NO_FAILURE', 'c2 NO_FAILURE']);
    assert.match(answers[0]?.message ?? '', /did not answer in time/);
  });

  it('that is old says so in its entry', async (t) => {
    const c1 = await scriptedChild(t, 'c1', { status: () => ({}) });
    const main = await loopbackEcu(t, 'main', { children: [c1] });
    for (const answers of [
      await main.vehicle.abort(named('c1'), agent),
      await main.vehicle.rollback(named('c1'), agent),
      await main.vehicle.clientUpdate(updateOf('c1'), agent),
    ]) {
      assert.deepEqual(words(answers), ['c1 RECOVERABLE']);
      assert.match(answers[0]?.message ?? '', /c1 does not support.*UNIMPLEMENTED/);
    }
  });

  it('that answers for others is heard only for itself', async (t) => {
    const ecu = ['main', 'c2', 'c1'].map((ecuId) => ({ ecuId, result: 2 as const, message: 'a lie' }));
    const c1 = await scriptedChild(t, 'c1', { update: () => ({ ecu }), status: () => ({}) });
    const c2 = await loopbackEcu(t, 'c2');
    const main = await loopbackEcu(t, 'main', { children: [c1, c2] });
    const answers = await main.vehicle.update(updateOf('main', 'c1', 'c2'), agent);
    assert.deepEqual(words(answers), ['main NO_FAILURE', 'c1 UNRECOVERABLE', 'c2 NO_FAILURE']);
    assert.equal(main.log.lines.filter((line) => line.includes('answers for an ECU')).length, 2);
  });

  it('that answers with more than anybody can read costs its own entry only', async (t) => {
    const giant = { ecu: [{ ecuId: 'c1', message: 'x'.repeat(3_000_000) }] };
    const c1 = await scriptedChild(t, 'c1', { update: () => giant, status: () => ({}) });
    const main = await loopbackEcu(t, 'main', { children: [c1] });
    const answers = await main.vehicle.update(updateOf('main', 'c1'), agent);
    assert.deepEqual(words(answers), ['main NO_FAILURE', 'c1 RECOVERABLE']);
  });
});

describe('in a chain of ECUs', () => {
  it('a grandchild that hangs never makes the child look dead', async (t) => {
    const g1 = await scriptedChild(t, 'g1', {
      update: () => 'silence',
      abort: () => 'silence',
      status: () => ({ ecuV2: [{ ecuId: 'g1' }] }),
    });
    const c1 = await loopbackEcu(t, 'c1', { children: [g1] });
    const main = await loopbackEcu(t, 'main', { children: [c1] });
    await whenKnown(main, () => main.store.childFor('g1') === 'c1');
    const call = { ...agent, budgetMs: 2000 };
    const begun = performance.now();
    const answers = await main.vehicle.update(updateOf('main', 'c1', 'g1'), call);
    assert.ok(performance.now() - begun < 2000);
    assert.deepEqual(words(answers), ['main NO_FAILURE', 'c1 NO_FAILURE', 'g1 RECOVERABLE']);
    assert.match(answers[2]?.message ?? '', /g1 did not answer in time/);
    assert.deepEqual(words(await main.vehicle.abort(named(), call)), [
      'main NO_FAILURE',
      'c1 NO_FAILURE',
      'g1 RECOVERABLE',
    ]);
  });

  it('an ECU below a parent does not speak of ECUs that it does not know', async (t) => {
    const { c1 } = await vehicle(t);
    const request = updateOf('main', 'c1', 'c2');
    const asked = await c1.vehicle.update(request, { ...agent, caller: 'parent' });
    assert.deepEqual(words(asked), ['c1 NO_FAILURE']);
    const maybe = await c1.vehicle.update(request, { ...agent, caller: 'maybe_parent' });
    assert.deepEqual(words(maybe), ['c1 RECOVERABLE']);
    const stray = await c1.vehicle.update(updateOf('main'), { ...agent, caller: 'maybe_parent' });
    assert.deepEqual(words(stray), ['main RECOVERABLE'], 'a parent would have named c1');
  });
});

describe('Abort', () => {
  it('stops only the ECUs that are named', async (t) => {
    const { main } = await vehicle(t);
    await main.vehicle.update(updateOf('main', 'c1', 'c2', 'g1'), agent);
    assert.deepEqual(words(await main.vehicle.abort(named('g1', 'main'), agent)), [
      'g1 NO_FAILURE',
      'main NO_FAILURE',
    ]);
    await whenKnown(main, () => statusOf(main, 'g1') === 'ABORTED');
    assert.deepEqual([statusOf(main, 'main'), statusOf(main, 'c1')], ['ABORTED', 'UPDATING']);
  });

  it('stops all ECUs when none is named', async (t) => {
    const { main } = await vehicle(t);
    await main.vehicle.update(updateOf('main', 'c1', 'g1'), agent);
    const answers = await main.vehicle.abort(named(), agent);
    assert.deepEqual(words(answers).toSorted(), [
      'c1 NO_FAILURE',
      'c2 RECOVERABLE',
      'g1 NO_FAILURE',
      'main NO_FAILURE',
    ]);
  });

  it('is answered in time although the own ECU still stops', async (t) => {
    const main = await loopbackEcu(t, 'main');
    const stopped = Promise.withResolvers<void>();
    main.local.abortGate = stopped.promise;
    await main.vehicle.update(updateOf('main'), agent);
    const [answer] = await main.vehicle.abort(named('main'), { ...agent, budgetMs: 600 });
    assert.equal(answer?.result, 'NO_FAILURE');
    assert.match(answer?.message ?? '', /still stopping/);
    stopped.resolve();
  });
});

describe('an ECU with broken configuration', () => {
  it('refuses every named ECU, hands nothing out, and still can be stopped', async (t) => {
    const c1 = await loopbackEcu(t, 'c1');
    const refusal = new OtaFailure('configuration_invalid', 'ecu_info.yml: line 3: ip_addr');
    const main = await loopbackEcu(t, 'main', { children: [c1], orchestrator: { refusal } });
    for (const answers of [
      await main.vehicle.update(updateOf('c1', 'main', 'x', 'c1'), agent),
      await main.vehicle.clientUpdate(updateOf('c1', 'main', 'x'), agent),
      await main.vehicle.rollback(named('c1', 'main', 'x'), agent),
    ]) {
      assert.deepEqual(words(answers).toSorted(), [
        'c1 UNRECOVERABLE',
        'main UNRECOVERABLE',
        'x UNRECOVERABLE',
      ]);
      assert.match(answers[0]?.message ?? '', /E316.*line 3/);
    }
    assert.deepEqual(c1.local.asked, []);
    assert.deepEqual(words(await main.vehicle.abort(named(), agent)), ['main RECOVERABLE', 'c1 RECOVERABLE']);
  });

  it('speaks only for itself to a parent', async (t) => {
    const refusal = new OtaFailure('configuration_invalid', 'x');
    const main = await loopbackEcu(t, 'main', { orchestrator: { refusal } });
    const answers = await main.vehicle.update(updateOf('top', 'main'), { ...agent, caller: 'parent' });
    assert.deepEqual(words(answers), ['main UNRECOVERABLE']);
  });
});

describe('a vehicle that is in no state for an update', () => {
  it('refuses for all of its ECUs before any of them gets the request, and says why', async (t) => {
    const gate = new HandGate();
    const { main, c1, c2, g1 } = await vehicle(t, { orchestrator: { vehicleGate: gate } });
    gate.set('start', 'parked: Vehicle.Speed is 42');
    const answers = [
      ...(await main.vehicle.update(updateOf('main', 'c1', 'g1', 'c2'), agent)),
      ...(await main.vehicle.update(updateOf('g1'), agent)),
      ...(await main.vehicle.rollback(named('c2'), agent)),
    ];
    assert.deepEqual(
      answers.map(({ ecuId }) => ecuId),
      ['main', 'c1', 'g1', 'c2', 'g1', 'c2'],
    );
    for (const { result, blocked, message } of answers) {
      assert.deepEqual([result, blocked], ['RECOVERABLE', true]);
      assert.match(message, /^E213: .*parked: Vehicle\.Speed is 42/);
    }
    for (const { local } of [main, c1, c2, g1]) assert.deepEqual(local.asked, []);
    gate.set('start');
    assert.deepEqual(words(await main.vehicle.update(updateOf('main', 'g1'), agent)), [
      'main NO_FAILURE',
      'g1 NO_FAILURE',
    ]);
  });

  it('lets rollbacks pass where the conditions are not for them', async (t) => {
    const gate = new HandGate();
    const { main } = await vehicle(t, { orchestrator: { vehicleGate: gate } });
    gate.set('start', 'parked: no');
    gate.holdsRollbacks = false;
    assert.deepEqual(words(await main.vehicle.rollback(named('c1'), agent)), ['c1 NO_FAILURE']);
  });

  it('refuses only its own part where the conditions are those of one ECU', async (t) => {
    const { main } = await vehicle(t);
    main.local.refusal = new OtaFailure('vehicle_state', 'parked: no');
    assert.deepEqual(words(await main.vehicle.update(updateOf('main', 'c1'), agent)), [
      'main RECOVERABLE',
      'c1 NO_FAILURE',
    ]);
  });
});
