import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import { type Finalized, finalizeStart } from '#update/finalize.ts';
import { Journal } from '#update/journal.ts';
import { Returns } from '#update/returns.ts';
import { BackCarrier } from '#update/rollback/back-carrier.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const job = { requestId: 'r', version: '2', url: 'http://h/' };
const release = { version: '2', detail: undefined, imageDigest: 'd' };
const report = { type: 'RECOVERABLE', reason: 'E211: check web', traceback: '' } as const;

/** One ECU over many lives. */
async function openEcu(t: TestContext) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'file'), '1');
  return async (): Promise<{
    slots: Slots;
    journal: Journal;
    back: BackCarrier;
    finalize: () => Promise<Finalized>;
  }> => {
    const slots = await bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
    const journal = await Journal.open(join(directory, 'journal.json'));
    const log = new MemoryLog();
    const returns = new Returns({ slots, log, resetPlaces: { crashRecords: [], watchdogs: '/nowhere' } });
    const back = new BackCarrier({ slots, paths: ['/file'], log });
    return { slots, journal, back, finalize: () => finalizeStart({ slots, journal, returns, back }) };
  };
}

/** The reason that the start shows. */
function reasonOf({ start }: Finalized): string | undefined {
  assert.equal(start.at, 'rest');
  return start.at === 'rest' ? start.failure?.reason : undefined;
}

test('an ordinary start stays where it was and has nothing to tell', async (t) => {
  const boot = await openEcu(t);
  assert.deepEqual(await (await boot()).finalize(), {
    start: { at: 'rest', status: 'INITIALIZED', failure: undefined },
    notice: undefined,
  });
});

test('cut off while the description was verified: the old status stays, and the log is told once', async (t) => {
  const boot = await openEcu(t);
  await (await boot()).journal.begin('verify', job);
  const { start, notice } = await (await boot()).finalize();
  assert.deepEqual(start, { at: 'rest', status: 'INITIALIZED', failure: undefined });
  assert.match(notice ?? '', /update to version 2 was cut off while fetching and verifying/);
  assert.equal((await (await boot()).finalize()).notice, undefined);
});

test('cut off while placing files: FAILURE says so, and still after the next start', async (t) => {
  const boot = await openEcu(t);
  const { slots, journal } = await boot();
  await journal.begin('verify', job);
  await slots.prepare(never);
  await journal.reach('place');
  const reason = reasonOf(await (await boot()).finalize());
  assert.match(
    reason ?? '',
    /^E210: .*version 2 was cut off while placing files, begun at 20.*send the same update/,
  );
  assert.equal(reasonOf(await (await boot()).finalize()), reason);
});

test('cut off before the boot choice was switched: interrupted, not fallen back', async (t) => {
  const boot = await openEcu(t);
  const { slots, journal } = await boot();
  await journal.begin('activate', job);
  await slots.activate(await slots.prepare(never), release);
  await slots.record('FAILURE', undefined).catch(() => {});
  // As the power cut between the standby slot's status and the boot choice leaves it.
  await writeFile(join(slots.activeRoot, '..', 'status', 'slot_b', 'status'), 'UPDATING');
  assert.match(reasonOf(await (await boot()).finalize()) ?? '', /^E210: .*while switching the boot choice/);
});

test('the first boot of a new release is left to the machine', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  await slots.activate(await slots.prepare(never), release);
  assert.deepEqual((await (await boot()).finalize()).start, { at: 'first_boot', of: 'update', version: '2' });
});

test('a new release that did not come up: FAILURE, recorded', async (t) => {
  const boot = await openEcu(t);
  const { slots, journal } = await boot();
  await journal.begin('reboot', job);
  await slots.activate(await slots.prepare(never), release);
  await boot();
  const fallen = await boot();
  const reason = reasonOf(await fallen.finalize());
  assert.match(
    reason ?? '',
    /^E212: .*release 2 was left because it did not come up.*\(black box [0-9a-f-]+\)$/,
  );
  assert.deepEqual(await (await boot()).slots.judge(), {
    kind: 'ordinary',
    status: 'FAILURE',
    failure: { type: 'RECOVERABLE', reason, traceback: '' },
  });
});

test('a release that gave up: its own report counts', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  await slots.activate(await slots.prepare(never), release);
  await (await boot()).slots.giveUp(report);
  assert.match(reasonOf(await (await boot()).finalize()) ?? '', /^E211: check web \(black box [0-9a-f-]+\)$/);
  assert.equal((await (await boot()).slots.judge()).kind, 'ordinary', 'recorded');
});

test('a rollback that did not come up: ROLLBACK_FAILURE', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  await slots.activate(await slots.prepare(never), release);
  const second = await boot();
  await second.slots.confirm();
  await second.slots.rollBack();
  await boot();
  const { start } = await (await boot()).finalize();
  assert.ok(start.at === 'rest' && start.status === 'ROLLBACK_FAILURE');
  assert.match(start.failure?.reason ?? '', /^E305: /);
});

test('a rollback that did not come up gives the old release its own files back', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  const old = join(slots.activeRoot, 'file');
  const tree = await slots.prepare(never);
  await writeFile(join(tree.root, 'file'), '2');
  await slots.activate(tree, release);
  const second = await boot();
  await second.slots.confirm();
  await second.slots.rollBack(second.back.intoOldRelease);
  assert.equal(await readFile(old, 'utf8'), '2');
  const tried = await boot();
  assert.equal((await tried.finalize()).start.at, 'first_boot');
  assert.ok((await readdir(tried.slots.activeRoot)).includes('.ota-rollback'), 'kept while it is on trial');
  const { start } = await (await boot()).finalize();
  assert.ok(start.at === 'rest' && start.status === 'ROLLBACK_FAILURE');
  assert.equal(await readFile(old, 'utf8'), '1');
  assert.deepEqual(await readdir(dirname(old)), ['file']);
});

test('files that cannot be taken back leave the rollback unrecorded, so that the next start tries again', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  const old = slots.activeRoot;
  const tree = await slots.prepare(never);
  await writeFile(join(tree.root, 'file'), '2');
  await slots.activate(tree, release);
  const second = await boot();
  await second.slots.confirm();
  await second.slots.rollBack(second.back.intoOldRelease);
  await boot();
  const needed = join(old, '.ota-rollback/gone');
  await rmdir(needed);
  await writeFile(needed, '');
  const first = await (await boot()).finalize();
  assert.match(first.notice ?? '', /could not be recorded/);
  await rm(needed);
  await mkdir(needed);
  const { start } = await (await boot()).finalize();
  assert.ok(start.at === 'rest' && start.status === 'ROLLBACK_FAILURE');
  assert.equal(await readFile(join(old, 'file'), 'utf8'), '1');
});

test('what a confirmed rollback left behind is removed by the next start, and never taken for a failed one', async (t) => {
  const boot = await openEcu(t);
  const { slots } = await boot();
  const old = slots.activeRoot;
  const tree = await slots.prepare(never);
  await writeFile(join(tree.root, 'file'), '2');
  await slots.activate(tree, release);
  const second = await boot();
  await second.slots.confirm();
  await second.slots.rollBack(second.back.intoOldRelease);
  const third = await boot();
  await third.slots.confirm();
  await third.finalize();
  assert.deepEqual(await readdir(old), ['file']);
  assert.equal(await readFile(join(old, 'file'), 'utf8'), '2');
});

test('a FAILURE that another client left without a reason says that, and nothing invented', async (t) => {
  const boot = await openEcu(t);
  await (await boot()).slots.record('FAILURE', undefined);
  assert.match(reasonOf(await (await boot()).finalize()) ?? '', /^E000: .*not recorded/);
});
