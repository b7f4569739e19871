import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots, StandbyTree } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { VerifiedImage } from '#image/image.ts';
import { type EcuActivity, EcuActor } from '#update/ecu-actor.ts';
import { createEcuSteps } from '#update/ecu-steps.ts';
import { finalizeStart } from '#update/finalize.ts';
import { type Gate, openGate } from '#update/gate.ts';
import { FirstBoot } from '#update/health/first-boot.ts';
import type { HealthCheck } from '#update/health/probe.ts';
import { Journal } from '#update/journal.ts';
import type { DeltaPlan, StagedTree } from '#update/plan.ts';
import type { PreparedTree } from '#update/prepared-tree.ts';
import { Returns } from '#update/returns.ts';
import { BackCarrier } from '#update/rollback/back-carrier.ts';
import type { BuildSteps, UpdateSteps } from '#update/steps.ts';
import { HandGate } from '../support/hand-gate.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

/** Builds a "release" of one file that says its version. */
class OneFileEngine implements BuildSteps {
  readonly #slots: Slots;
  #version = '';

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  async verify(request: ReleaseRequest): Promise<VerifiedImage> {
    this.#version = request.version;
    return { digest: `digest of ${request.version}` } as VerifiedImage;
  }

  async prepare(image: VerifiedImage, { signal }: { readonly signal: AbortSignal }): Promise<PreparedTree> {
    return { image, tree: await this.#slots.prepare(signal) } as PreparedTree;
  }

  async plan(prepared: PreparedTree): Promise<DeltaPlan> {
    return { prepared, missing: [], likely: new Uint8Array() };
  }

  async place({ prepared: { image, tree } }: DeltaPlan): Promise<StagedTree> {
    await writeFile(join(tree.root, 'version'), this.#version);
    return { image, tree, unowned: [] };
  }

  async persist(staged: StagedTree): Promise<StagedTree> {
    return staged;
  }
}

interface Life {
  readonly slots: Slots;
  readonly actor: EcuActor;
  readonly steps: readonly (keyof UpdateSteps)[];
  /** Resolves when the daemon would end to boot again. */
  readonly rebooted: Promise<void>;
  readonly until: (status: string) => Promise<void>;
}

/** One ECU over many lives, with a release 1 as delivered. */
async function openEcu(
  t: TestContext,
  carriedBack: readonly string[] = [],
  gate: Gate = openGate,
): Promise<(checks?: readonly HealthCheck[]) => Promise<Life>> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'version'), '1');
  return async (healthChecks = []) => {
    const rebooted = Promise.withResolvers<void>();
    const slots = await bootDirectorySlots({ directory, reboot: async () => rebooted.resolve() });
    const journal = await Journal.open(join(directory, 'journal.json'));
    const resetPlaces = { crashRecords: [], watchdogs: '/does/not/exist' };
    const returns = new Returns({ slots, log: new MemoryLog(), resetPlaces });
    const back = new BackCarrier({ slots, paths: carriedBack, log: new MemoryLog() });
    const { start } = await finalizeStart({ slots, journal, returns, back });
    const steps: (keyof UpdateSteps)[] = [];
    const parts = {
      slots,
      journal,
      engine: new OneFileEngine(slots),
      firstBoot: new FirstBoot({
        slots,
        checks: healthChecks,
        options: { holdMs: 0, intervalMs: 10, startTimeoutMs: 0, powerCycles: 3 },
        probeGrpc: () => Promise.resolve(undefined),
        bootId: randomUUID(),
        course: () => Promise.resolve('running'),
        resetPlaces,
        log: new MemoryLog(),
        tell: () => {},
      }),
      returns,
      back,
      log: new MemoryLog(),
      gate,
      answered: async () => {},
      awaitChildren: () => Promise.resolve(),
      onStep: (step: keyof UpdateSteps) => steps.push(step),
    };
    const actor = new EcuActor(createEcuSteps(parts), start, (error) => assert.fail(String(error)), gate);
    actor.start();
    t.after(() => actor[Symbol.asyncDispose]());
    const until = async (status: string): Promise<void> => {
      const reached = Promise.withResolvers<void>();
      const look = (): void => {
        if (actor.activity().status === status) reached.resolve();
      };
      const stop = actor.subscribe(look);
      look();
      await reached.promise;
      stop();
    };
    return { slots, actor, steps, rebooted: rebooted.promise, until };
  };
}

const request = (version: string): ReleaseRequest => ({
  version,
  url: new URL('http://h/'),
  cookies: new Map([['k', 'SECRET']]),
  detail: undefined,
  requestId: 'r',
});

async function running(slots: Slots): Promise<string> {
  return readFile(join(slots.activeRoot, 'version'), 'utf8');
}

test('an ECU goes to a new release and back, over its reboots', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  assert.equal(first.actor.activity().status, 'UPDATING');

  const second = await boot();
  await second.until('SUCCESS');
  assert.equal(await running(second.slots), '2');
  assert.equal((await second.slots.current()).version, '2');
  assert.equal((await second.slots.current()).imageDigest, 'digest of 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;

  const third = await boot();
  assert.equal(third.actor.activity().status, 'ROLLBACKING');
  await third.until('SUCCESS');
  assert.equal(await running(third.slots), '1');
});

test('a rollback takes declared files with it, and they stay when the old release is well', async (t) => {
  const boot = await openEcu(t, ['/data']);
  const first = await boot();
  await writeFile(join(first.slots.activeRoot, 'data'), 'of release 1');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await writeFile(join(second.slots.activeRoot, 'data'), 'of release 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;
  const third = await boot();
  await third.until('SUCCESS');
  assert.equal(await running(third.slots), '1');
  assert.equal(await readFile(join(third.slots.activeRoot, 'data'), 'utf8'), 'of release 2');
  assert.deepEqual((await readdir(third.slots.activeRoot)).toSorted(), ['data', 'version']);
});

test('a rollback to a release that is not well any more leaves that one with its own files', async (t) => {
  const boot = await openEcu(t, ['/data']);
  const first = await boot();
  const old = join(first.slots.activeRoot, 'data');
  await writeFile(old, 'of release 1');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await writeFile(join(second.slots.activeRoot, 'data'), 'of release 2');
  second.actor.send({ type: 'ROLLBACK' });
  await second.rebooted;
  assert.equal(await readFile(old, 'utf8'), 'of release 2');
  const failing = { name: 'app', command: ['false'], timeoutMs: 5000 };
  const third = await boot([failing]);
  await third.rebooted;
  const fourth = await boot();
  assert.equal(await running(fourth.slots), '2');
  assert.equal(fourth.actor.activity().status, 'ROLLBACK_FAILURE');
  assert.equal(await readFile(old, 'utf8'), 'of release 1');
});

test('a rollback that cannot carry its files is not begun', async (t) => {
  const boot = await openEcu(t, ['/data/inner']);
  const first = await boot();
  await writeFile(join(first.slots.activeRoot, 'data'), 'a file, where the new release has a directory');
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const second = await boot();
  await second.until('SUCCESS');
  await mkdir(join(second.slots.activeRoot, 'data'));
  await writeFile(join(second.slots.activeRoot, 'data/inner'), 'x');
  second.actor.send({ type: 'ROLLBACK' });
  await second.until('ROLLBACK_FAILURE');
  assert.match(
    second.actor.activity().failure?.reason ?? '',
    /^E305: rollback failed: files of the running release could not be carried back: /,
  );
  assert.deepEqual(
    (await readdir(join(second.slots.activeRoot, '../slot_a'))).toSorted(),
    ['data', 'version'],
    'the old release is as it was',
  );
  const third = await boot();
  assert.equal(await running(third.slots), '2');
});

test('a release that is not healthy is left again, and the old one tells why, over restarts', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  const check = {
    name: 'version is odd',
    command: ['sh', '-c', 'echo "found $(cat $OTA_SLOT_ROOT/version)"; [ $OTA_VERSION != 2 ]'],
    timeoutMs: 5000,
  };
  const second = await boot([check]);
  await second.rebooted;
  for (const life of [await boot([check]), await boot([check])]) {
    assert.equal(life.actor.activity().status, 'FAILURE');
    assert.match(
      life.actor.activity().failure?.reason ?? '',
      /^E211: .*check version is odd ended with exit code 1, and wrote: found 2/,
    );
    assert.equal(await running(life.slots), '1');
  }
});

test('an update that fails says so, keeps saying so, and the next one is taken', async (t) => {
  const boot = await openEcu(t);
  const { actor, slots, until } = await boot();
  const tree: StandbyTree = await slots.look(new AbortController().signal);
  await mkdir(join(tree.root, 'version'), { recursive: true });
  actor.send({ type: 'UPDATE', request: request('2') });
  await until('FAILURE');
  assert.match(actor.activity().failure?.reason ?? '', /^E313: .*EISDIR/);
  const next = await boot();
  assert.deepEqual(next.actor.activity().failure, actor.activity().failure);
  assert.ok(next.actor.isAtRest);
});

test('the journal follows the steps, holds no cookies, and is gone after the end', async (t) => {
  const boot = await openEcu(t);
  const first = await boot();
  first.actor.send({ type: 'UPDATE', request: request('2') });
  await first.rebooted;
  assert.deepEqual(first.steps, [
    'verify',
    'prepare',
    'plan',
    'place',
    'persist',
    'activate',
    'awaitChildren',
    'reboot',
  ]);
  const path = join(first.slots.activeRoot, '..', 'journal.json');
  const text = await readFile(path, 'utf8');
  assert.equal(JSON.parse(text).step, 'reboot');
  assert.ok(!text.includes('SECRET'));
  await (await boot()).until('SUCCESS');
  await assert.rejects(readFile(path), { code: 'ENOENT' });
});

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

/** Resolves when the ECU shows what is looked for. */
async function reached({ actor }: Life, fits: (activity: EcuActivity) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (fits(actor.activity())) resolve();
  };
  const stop = actor.subscribe(look);
  look();
  await promise.finally(stop);
}
