import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { SlotArchive } from '#boot/slot-archive.ts';
import type { BootVerdict, Slots } from '#boot/slots.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import { noteFirstBoot } from '#update/black-box/first-boot-timeline.ts';
import type { BlackBox } from '#update/black-box/record.ts';
import { readBlackBoxes } from '#update/black-box/store.ts';
import { TrialNotes } from '#update/health/trial-notes.ts';
import { Journal } from '#update/journal.ts';
import { Quarantine } from '#update/quarantine.ts';
import { Returns } from '#update/returns.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const job = { requestId: 'r', version: '2', url: 'http://h/' };
const release = { version: '2', detail: undefined, imageDigest: 'd' };
const end: TrialEnd = {
  cause: 'probe_failed',
  detail: 'check web ended with exit code 1',
  probe: { name: 'web', kind: 'command', target: 'sh', how: 'ended with exit code 1', output: 'closed\n' },
};
const report = { type: 'RECOVERABLE', reason: 'E211: check web', traceback: '' } as const;

/** One ECU over many lives, whose machine keeps crash records and a watchdog's word below `machine/`. */
async function openEcu(t: TestContext) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'file'), '1');
  const places = {
    crashRecords: [join(directory, 'machine/pstore')],
    watchdogs: join(directory, 'machine/watchdog'),
  };
  const boot = async (bootId?: string) => {
    const slots = await bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
    const journal = await Journal.open(join(directory, 'journal.json'));
    const log = new MemoryLog();
    const parts = { slots, log, resetPlaces: places, limitMs: 3000, evidenceLimitMs: 1000 };
    const returns = new Returns(bootId === undefined ? parts : { ...parts, bootId });
    return { slots, journal, returns, log };
  };
  /** Up to the reboot into release 2. */
  const update = async (bootId?: string): Promise<void> => {
    const { slots, journal, returns } = await boot(bootId);
    await journal.begin('verify', job);
    const tree = await slots.prepare(never);
    await journal.reach('activate', { imageDigest: 'd', ...(await returns.beforeSwitch()) });
    await slots.activate(tree, release);
    await journal.reach('reboot');
  };
  /** The first boot of release 2 as far as its daemon got. */
  const tryRelease = async (bootId = 'boot 1') => {
    const life = await boot();
    await life.returns.begun();
    const notes = new TrialNotes(life.slots);
    await notes.begin({ bootId, limitMs: 1000, crashRecords: [] });
    return { ...life, notes };
  };
  /** The old release again. */
  const comeBackBare = async () => {
    const life = await boot();
    const verdict = await life.slots.judge();
    assert.ok(isFallenBack(verdict), verdict.kind);
    const failure = await life.returns.settled(verdict, life.journal.entry);
    return { ...life, failure };
  };
  const comeBack = async () => {
    const life = await comeBackBare();
    return { ...life, box: (await boxesOf(life.slots)).at(-1) };
  };
  return { directory, places, boot, update, tryRelease, comeBackBare, comeBack };
}

function isFallenBack(verdict: BootVerdict): verdict is Extract<BootVerdict, { kind: 'fell_back' }> {
  return verdict.kind === 'fell_back';
}

async function boxesOf(slots: Slots): Promise<readonly BlackBox[]> {
  const { boxes } = await slots.withArchive('current', 'read', readBlackBoxes);
  return boxes;
}

test('a daemon that is started again before the reboot has tried nothing, and quarantines nothing', async (t) => {
  const { boot, update } = await openEcu(t);
  await update('boot 7');
  // With boot control `directory` this start takes the one-shot choice: the next one is in the old slot.
  await boot();
  const life = await boot('boot 7');
  const verdict = await life.slots.judge();
  assert.ok(isFallenBack(verdict), verdict.kind);
  const { reason } = await life.returns.settled(verdict, life.journal.entry);
  assert.match(reason, /update to version 2 was cut off while rebooting/);
  assert.deepEqual(await boxesOf(life.slots), []);
  await life.returns.admit({ version: '2', imageDigest: 'd' }, false);
});

test('a release that gives up tells most, and the old one the rest', async (t) => {
  const { update, tryRelease, comeBack } = await openEcu(t);
  await update();
  const second = await tryRelease();
  await second.notes.end(end);
  await second.returns.givenUp(end);
  await second.returns.givenUp(end);
  await second.slots.giveUp(report);
  const { box, failure, slots } = await comeBack();
  assert.ok(box !== undefined);
  assert.equal((await boxesOf(slots)).length, 1, 'one for one return');
  assert.equal(failure.reason, `E211: check web (black box ${box.id})`);
  const { cause, detail, probe, complete, left, back_in: back, boots, session_id: session } = box;
  assert.deepEqual({ cause, detail, probe, complete, boots }, { ...end, complete: true, boots: 1 });
  assert.deepEqual(left, { slot: 'slot_b', version: '2', image_digest: 'd' });
  assert.deepEqual(back, { slot: 'slot_a', version: '', image_digest: '' });
  assert.match(session ?? '', /^\d+-2-/);
  assert.deepEqual(
    box.timeline.map(({ by, step }) => `${by} ${step}`),
    [
      'old verify',
      'old activate',
      'old reboot',
      'new first_boot',
      'new giving_up',
      'new giving_up',
      'old came_back',
    ],
  );
  const { releases } = await new Quarantine(slots).list();
  assert.deepEqual(
    releases.map(({ version, imageDigest, why, blackBox }) => [version, imageDigest, why, blackBox]),
    [['2', 'd', 'a health probe failed', box.id]],
  );
});

test('a power cut before the failure is recorded: the same black box, not another one', async (t) => {
  const { update, tryRelease, comeBack } = await openEcu(t);
  await update();
  await tryRelease();
  const first = await comeBack();
  const again = await comeBack();
  assert.equal(again.box?.id, first.box?.id);
  assert.deepEqual(again.failure, first.failure);
  assert.equal((await boxesOf(again.slots)).length, 1);
  assert.equal((await new Quarantine(again.slots).list()).releases.length, 1);
});

test('a new crash record means a kernel crash, one that was there before does not', async (t) => {
  const { places, update, boot, comeBack } = await openEcu(t);
  const pstore = places.crashRecords[0] ?? '';
  await mkdir(pstore, { recursive: true });
  await writeFile(join(pstore, 'dmesg-efi-1'), 'an old panic');
  await update();
  await boot();
  await writeFile(join(pstore, 'dmesg-efi-2'), 'Kernel panic - not syncing: no init');
  const { box, failure } = await comeBack();
  assert.equal(box?.cause, 'kernel_crash');
  assert.match(failure.reason, /^E212: .*release 2 was left because its kernel crashed/);
  const told = box?.evidence.map(({ text }) => text).join() ?? '';
  assert.match(told, /no init/);
  assert.doesNotMatch(told, /an old panic/);
});

test('a watchdog, many boots, one boot and none are told apart', async (t) => {
  const cases = [
    ['watchdog_reset', 1, '32'],
    ['reboot_loop', 2, '0'],
    ['cut_off', 1, '0'],
    ['not_booted', 0, '0'],
  ] as const;
  for (const [cause, boots, status] of cases) {
    const { places, boot, update, comeBack } = await openEcu(t);
    await update();
    const { slots } = await boot();
    for (let n = 0; n < boots; n++) {
      const notes = new TrialNotes(slots);
      await notes.begin({ bootId: `boot ${n}`, limitMs: 1000, crashRecords: [] });
    }
    await mkdir(join(places.watchdogs, 'watchdog0'), { recursive: true });
    await writeFile(join(places.watchdogs, 'watchdog0', 'bootstatus'), `${status}\n`);
    const { box } = await comeBack();
    assert.deepEqual([box?.cause, box?.boots], [cause, boots === 0 ? null : boots]);
  }
});

test('a machine that was switched off is no fault of the release; one that it rebooted is', async (t) => {
  for (const [step, number, count] of [
    ['powering_off', 'E210', 0],
    ['rebooting', 'E212', 1],
  ] as const) {
    const { update, tryRelease, comeBack } = await openEcu(t);
    await update();
    await noteFirstBoot((await tryRelease()).slots, step);
    const { failure, box, slots } = await comeBack();
    assert.ok(failure.reason.startsWith(number) && failure.reason.includes(`black box ${box?.id}`));
    assert.equal((await new Quarantine(slots).list()).releases.length, count);
  }
});

test('what the guard beside the daemon wrote is taken over, and taken away', async (t) => {
  const { directory, update, boot, comeBack } = await openEcu(t);
  await update();
  await boot();
  const note = {
    format: 1,
    cause: 'daemon_failed',
    detail: 'ota.service failed',
    when: 1,
    journal: 'boom\n',
  };
  const path = join(directory, 'status/slot_a/trial-failure');
  await writeFile(path, JSON.stringify(note));
  const { box, failure, slots } = await comeBack();
  assert.equal(box?.cause, 'daemon_failed');
  assert.equal(box?.detail, 'ota.service failed');
  assert.deepEqual(box?.evidence.at(-1), { source: 'log kept by the guard', text: 'boom\n' });
  assert.match(failure.reason, /its OTA daemon crashed or hung \(ota\.service failed\)/);
  assert.equal(
    await slots.withArchive('current', 'read', (archive) => archive.read('trial-failure')),
    undefined,
  );
});

test('cut off at the switch itself: no black box and no quarantine, unless the other slot was really tried', async (t) => {
  const { boot, update, comeBack, tryRelease } = await openEcu(t);
  const cut = async (): Promise<void> => {
    await update();
    await (await boot()).journal.reach('activate');
  };
  await cut();
  const untried = await comeBack();
  assert.match(untried.failure.reason, /^E210: .*while switching the boot choice/);
  assert.equal(untried.box, undefined);
  assert.deepEqual((await new Quarantine(untried.slots).list()).releases, []);
  await untried.slots.record('FAILURE', untried.failure);

  await update();
  await (await tryRelease()).journal.reach('activate');
  assert.equal((await comeBack()).box?.cause, 'cut_off');
});

test('a rollback that failed is told about, and its release is not quarantined', async (t) => {
  const { directory, update, boot, comeBack } = await openEcu(t);
  await boot();
  const record = { format: 1, state: 'confirmed', image_digest: 'c' };
  await writeFile(join(directory, 'status/slot_a/slot'), JSON.stringify(record));
  await update();
  const second = await boot();
  await second.slots.confirm();
  await second.returns.confirmed();
  await second.journal.clear();
  await second.journal.begin('roll_back', { ...job, version: '', url: '' });
  await second.slots.rollBack();
  await second.journal.reach('reboot');
  await boot();
  const { box, failure, slots } = await comeBack();
  assert.deepEqual([box?.switch, box?.cause], ['rollback', 'not_booted']);
  assert.deepEqual(box?.left, { slot: 'slot_a', version: '', image_digest: 'c' });
  assert.match(failure.reason, /^E305: .*\(black box /);
  assert.deepEqual((await new Quarantine(slots).list()).releases, []);
});

test('a release is refused by version and image together, and forced only on request', async (t) => {
  const { update, tryRelease, comeBack, boot } = await openEcu(t);
  await update();
  await tryRelease();
  const { returns, log, box, slots, failure } = await comeBack();
  await assert.rejects(returns.admit({ version: '2', imageDigest: 'd' }, false), {
    code: 'quarantined',
    type: 'UNRECOVERABLE',
    message: new RegExp(`^E320: .*version 2 .*because it came up.*${box?.id}.*--force`),
  });
  await returns.admit({ version: '2', imageDigest: 'other' }, false);
  await returns.admit({ version: '3', imageDigest: 'd' }, false);
  await returns.admit({ version: '2', imageDigest: 'd' }, true);
  assert.match(log.lines.join(), /warn forced: version 2/);
  await slots.record('FAILURE', failure);

  await update();
  const second = await boot();
  await assert.rejects(second.returns.admit({ version: '2', imageDigest: 'd' }, false), {
    code: 'quarantined',
  });
  await second.slots.confirm();
  await second.returns.confirmed();
  await second.returns.admit({ version: '2', imageDigest: 'd' }, false);
  const theirs = (archive: SlotArchive): Promise<unknown> => archive.read('quarantine');
  assert.deepEqual(await second.slots.withArchive('standby', 'read', theirs), { format: 1, releases: [] });
});

test('where nothing can be kept, the ECU goes on and says so', async (t) => {
  const { directory, update, tryRelease, comeBackBare } = await openEcu(t);
  await update();
  await tryRelease();
  const status = join(directory, 'status/slot_a');
  await writeFile(join(status, 'blackbox'), 'a file where a folder should be');
  await mkdir(join(status, 'quarantine'));
  const { failure, log, returns } = await comeBackBare();
  assert.match(failure.reason, /^E212: (?!.*\(black box)/);
  assert.match(log.lines.join('\n'), /black box could not be kept/);
  assert.match(log.lines.join('\n'), /release could not be quarantined/);
  await returns.admit({ version: '2', imageDigest: 'd' }, false);
  assert.ok((await readdir(status)).includes('status'));
});
