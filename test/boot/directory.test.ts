import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bootDirectorySlots, readDirectorySlots } from '#boot/directory.ts';
import type { Slots, StagedRelease } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { FailureReport } from '#domain/status.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const release2: StagedRelease = {
  version: '2',
  detail: { releaseName: 'two', releaseId: '2', imageId: 'i2' },
  imageDigest: 'd2',
};
const report: FailureReport = { type: 'RECOVERABLE', reason: 'E211: not healthy', traceback: '' };

/** A vehicle's ECU as delivered: a release in slot_a. */
async function delivered(t: TestContext): Promise<string> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a', 'etc'), { recursive: true });
  await writeFile(join(directory, 'slot_a', 'etc', 'issue'), 'one');
  return directory;
}

function boot(directory: string): Promise<Slots> {
  return bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
}

async function install(slots: Slots, release = release2): Promise<void> {
  const tree = await slots.prepare(never);
  await writeFile(join(tree.root, 'file'), release.version);
  await slots.activate(tree, release);
}

async function word(directory: string, slot: string, name = 'status'): Promise<string> {
  return readFile(join(directory, 'status', slot, name), 'utf8').catch(() => '-');
}

test('an empty directory is set up: slot_a runs, INITIALIZED, nothing to go back to', async (t) => {
  const directory = await scratchDirectory(t);
  const slots = await boot(join(directory, 'slots'));
  assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'INITIALIZED', failure: undefined });
  assert.deepEqual(await slots.current(), {
    id: 'slot_a',
    version: '',
    detail: undefined,
    imageDigest: '',
    intact: false,
  });
  assert.equal(await word(join(directory, 'slots'), 'slot_a'), 'INITIALIZED');
  assert.equal(await word(join(directory, 'slots'), 'slot_a', 'slot_in_use'), 'slot_a');
  await assert.rejects(slots.rollbackTarget(), { code: 'rollback_refused', message: /never held a release/ });
});

test('a delivered release in slot_a is kept and can be gone back to', async (t) => {
  const directory = await delivered(t);
  const slots = await boot(directory);
  assert.equal((await slots.current()).intact, true);
  assert.equal(await readFile(join(slots.activeRoot, 'etc', 'issue'), 'utf8'), 'one');
});

test('when only slot_b exists, it is the one that runs', async (t) => {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_b'));
  assert.equal((await (await boot(directory)).current()).id, 'slot_b');
});

test('prepare fails by default: before the tree is touched, both slots say so on disk', async (t) => {
  const directory = await delivered(t);
  const slots = await boot(directory);
  const tree = await slots.prepare(never);
  assert.equal(await word(directory, 'slot_a'), 'FAILURE');
  assert.equal(await word(directory, 'slot_a', 'slot_in_use'), 'slot_b');
  assert.deepEqual(tree, {
    slot: 'slot_b',
    root: join(directory, 'slot_b'),
    work: join(directory, 'slot_b.work'),
    activeRoot: join(directory, 'slot_a'),
    reserved: [],
  });
  assert.ok((await stat(tree.work)).isDirectory());
  await assert.rejects(slots.rollbackTarget(), { code: 'rollback_refused', message: /written to/ });
  const next = await boot(directory);
  assert.deepEqual(await next.judge(), { kind: 'ordinary', status: 'FAILURE', failure: undefined });
});

test('an aborted prepare changes nothing', async (t) => {
  const directory = await delivered(t);
  const slots = await boot(directory);
  await assert.rejects(slots.prepare(AbortSignal.abort()), { name: 'AbortError' });
  assert.equal(await word(directory, 'slot_a'), 'INITIALIZED');
});

test('an activated release boots once, and for good only when it is confirmed', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  assert.deepEqual(await readdir(directory), ['boot.json', 'slot_a', 'slot_b', 'status']);

  const first = await boot(directory);
  assert.deepEqual(await first.judge(), { kind: 'first_boot', of: 'update' });
  assert.equal(first.activeRoot, join(directory, 'slot_b'));
  assert.deepEqual(await first.current(), {
    id: 'slot_b',
    version: '2',
    detail: release2.detail,
    imageDigest: 'd2',
    intact: false,
  });
  await first.confirm();

  const second = await boot(directory);
  assert.deepEqual(await second.judge(), { kind: 'ordinary', status: 'SUCCESS', failure: undefined });
  assert.equal((await second.current()).intact, true);
  assert.equal((await second.standby()).intact, true);
  assert.equal(await word(directory, 'slot_a'), 'FAILURE');
});

test('a first boot that dies before it is confirmed falls back to the old slot', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  await boot(directory);
  const old = await boot(directory);
  assert.equal((await old.current()).id, 'slot_a');
  assert.deepEqual(await old.judge(), { kind: 'fell_back', of: 'update', failure: undefined });
  await old.record('FAILURE', report);
  const again = await boot(directory);
  assert.deepEqual(await again.judge(), { kind: 'ordinary', status: 'FAILURE', failure: report });
  await assert.rejects(again.rollbackTarget(), { code: 'rollback_refused', message: /never confirmed/ });
});

test('a boot that gives up leaves its report to the old slot', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  await (await boot(directory)).giveUp(report);
  const old = await boot(directory);
  assert.equal((await old.current()).id, 'slot_a');
  assert.deepEqual(await old.judge(), { kind: 'fell_back', of: 'update', failure: report });
});

test('a confirmation that was cut off after the boot choice is confirmed at the next boot', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  await boot(directory);
  await writeFile(
    join(directory, 'boot.json'),
    JSON.stringify({ format: 1, default: 'slot_b', once: null, booted: 'slot_b' }),
  );
  assert.deepEqual(await (await boot(directory)).judge(), { kind: 'first_boot', of: 'update' });
});

test('rollback boots the old slot again and both slots name it as the one in use', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  const second = await boot(directory);
  await second.confirm();
  assert.equal((await second.rollbackTarget()).id, 'slot_a');
  await second.rollBack();
  assert.equal(await word(directory, 'slot_a', 'slot_in_use'), 'slot_a');
  assert.equal(await word(directory, 'slot_b', 'slot_in_use'), 'slot_a');

  const old = await boot(directory);
  assert.deepEqual(await old.judge(), { kind: 'first_boot', of: 'rollback' });
  await old.confirm();
  const again = await boot(directory);
  assert.deepEqual(await again.judge(), { kind: 'ordinary', status: 'SUCCESS', failure: undefined });
  assert.equal((await again.current()).id, 'slot_a');
  assert.equal((await again.rollbackTarget()).version, '2', 'and forward again');
});

test('a rollback that does not come up ends in ROLLBACK_FAILURE', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  const second = await boot(directory);
  await second.confirm();
  await second.rollBack();
  await boot(directory);
  const fallen = await boot(directory);
  assert.equal((await fallen.current()).id, 'slot_b');
  assert.deepEqual(await fallen.judge(), { kind: 'fell_back', of: 'rollback', failure: undefined });
  await fallen.record('ROLLBACK_FAILURE', report);
  assert.deepEqual(await (await boot(directory)).judge(), {
    kind: 'ordinary',
    status: 'ROLLBACK_FAILURE',
    failure: report,
  });
});

test('a rollback that gives up says ROLLBACK_FAILURE, not FAILURE', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  const second = await boot(directory);
  await second.confirm();
  await second.rollBack();
  await (await boot(directory)).giveUp(report);
  assert.deepEqual(await (await boot(directory)).judge(), {
    kind: 'fell_back',
    of: 'rollback',
    failure: report,
  });
});

test('a recorded failure takes a pending switch back', async (t) => {
  const directory = await delivered(t);
  const slots = await boot(directory);
  await install(slots);
  await slots.record('FAILURE', report);
  const next = await boot(directory);
  assert.equal((await next.current()).id, 'slot_a');
  assert.deepEqual(await next.judge(), { kind: 'ordinary', status: 'FAILURE', failure: report });
});

test('ABORTED before anything was touched leaves the standby slot intact', async (t) => {
  const directory = await delivered(t);
  await install(await boot(directory));
  const second = await boot(directory);
  await second.confirm();
  await second.record('ABORTED', undefined);
  const next = await boot(directory);
  assert.deepEqual(await next.judge(), { kind: 'ordinary', status: 'ABORTED', failure: undefined });
  assert.equal((await next.rollbackTarget()).id, 'slot_a');
});

test('the standby slot is not switched to when its data could not be made durable', async (t) => {
  const directory = await delivered(t);
  const slots = await boot(directory);
  await programsOnPath(t, { sync: 'echo "I/O error" >&2; exit 1' });
  await assert.rejects(install(slots), { code: 'switch_failed' });
  assert.equal((await (await boot(directory)).current()).id, 'slot_a');
});

test('after a reboot was started nothing changes any more, unless it could not be started', async (t) => {
  const directory = await delivered(t);
  let fail = true;
  const slots = await bootDirectorySlots({
    directory,
    reboot: () => (fail ? Promise.reject(new Error('no reboot program')) : Promise.resolve()),
  });
  await assert.rejects(slots.reboot(), { code: 'reboot_failed', message: /no reboot program/ });
  await slots.record('FAILURE', report);
  fail = false;
  await slots.reboot();
  await assert.rejects(slots.record('SUCCESS', undefined), { code: 'rebooting' });
  await assert.rejects(slots.prepare(never), { code: 'rebooting' });
  assert.equal(await word(directory, 'slot_a'), 'FAILURE');
});

test('a reader sees the running slots and takes no one-shot choice away', async (t) => {
  const directory = await delivered(t);
  await assert.rejects(readDirectorySlots(directory), { code: 'startup_failed' });
  await install(await boot(directory));
  const reader = await readDirectorySlots(directory);
  assert.equal((await reader.current()).id, 'slot_a');
  assert.equal((await reader.look(never)).root, join(directory, 'slot_b'));
  assert.deepEqual(await (await boot(directory)).judge(), { kind: 'first_boot', of: 'update' });
  assert.equal((await (await readDirectorySlots(directory)).current()).id, 'slot_b');
});

test('a boot choice that is not ours stops the start instead of guessing', async (t) => {
  const directory = await delivered(t);
  for (const text of ['{"default":"slot_c"}', '{', '']) {
    await writeFile(join(directory, 'boot.json'), text);
    await assert.rejects(boot(directory), { code: 'startup_failed', message: /boot\.json/ });
  }
});

test('a slot may be a symbolic link; the work directory lies beside its target', async (t) => {
  const [directory, elsewhere] = [await delivered(t), await scratchDirectory(t)];
  await mkdir(join(elsewhere, 'tree'));
  await symlink(join(elsewhere, 'tree'), join(directory, 'slot_b'));
  const tree = await (await boot(directory)).prepare(never);
  assert.equal(tree.root, join(elsewhere, 'tree'));
  assert.equal(tree.work, join(elsewhere, 'tree.work'));
});

test('an unknown status word of the running slot is written anew as INITIALIZED', async (t) => {
  const directory = await delivered(t);
  await boot(directory);
  await writeFile(join(directory, 'status', 'slot_a', 'status'), 'GARBAGE');
  await boot(directory);
  assert.equal(await word(directory, 'slot_a'), 'INITIALIZED');
});

test('a last look that throws leaves the boot choice as it is, and no reboot is made', async (t) => {
  const directory = await delivered(t);
  let reboots = 0;
  const slots = await bootDirectorySlots({ directory, reboot: async () => void (reboots += 1) });
  const held = new OtaFailure('vehicle_state', 'moving');
  const look = () => {
    throw held;
  };
  const tree = await slots.prepare(never);
  await assert.rejects(slots.activate(tree, release2, look), held);
  assert.equal(JSON.parse(await readFile(join(directory, 'boot.json'), 'utf8')).once, null);
  await slots.activate(tree, release2);
  assert.equal(JSON.parse(await readFile(join(directory, 'boot.json'), 'utf8')).once, 'slot_b');
  await assert.rejects(slots.reboot(look), held);
  assert.equal(reboots, 0);
  await slots.record('ABORTED', undefined);
  assert.equal(JSON.parse(await readFile(join(directory, 'boot.json'), 'utf8')).once, null);
  assert.equal((await (await boot(directory)).judge()).kind, 'ordinary');
});
