import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DaemonProcess } from '../support/daemon-process.ts';
import type { OtaRun } from '../support/run-ota.ts';
import { runOta } from '../support/run-ota.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** One ECU with release "1", a daemon under supervision, and the commands of a person on it. */
async function openEcu(t: TestContext, probe: string) {
  const world = await UpdateWorld.create(t);
  const { directory } = world;
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  // A journal whose lines hold what no log should.
  const bin = join(directory, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'journalctl'), '#!/bin/sh\necho "boot of $*"\necho "Cookie: sid=S3CRET"\n');
  await chmod(join(bin, 'journalctl'), 0o755);
  const daemon = await DaemonProcess.create(t, {
    directory,
    options: `health: { start_timeout_ms: 0 }
health_checks:
  - { name: web, command: [sh, -c, '${probe}'], timeout_ms: 60000 }`,
  });
  const life = { env: { PATH: `${bin}:${process.env['PATH']}` } };
  void daemon.supervise(life);
  await daemon.until('INITIALIZED');
  const files = ['--ecu-info', join(directory, 'ecu_info.yml'), '--options', join(directory, 'ota.yml')];
  const ota = (...args: string[]): Promise<OtaRun> => runOta(t, [...args, ...files]);
  const url = world.server.origin.href;
  return { world, directory, daemon, ota, url };
}

/** Everything in a tree: names, contents and times of change. */
async function snapshot(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    const path = join(root, name);
    const about = await stat(path);
    const content = about.isFile() ? await readFile(path, 'utf8') : '';
    found.push(`${name} ${about.mtimeMs} ${about.ctimeMs} ${about.ino} ${content}`);
  }
  return found;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function idIn(reason: string | undefined): string {
  return /\(black box ([0-9a-f-]+)\)$/.exec(reason ?? '')?.[1] ?? assert.fail(reason);
}

test('a release that failed is told about, refused until it is forced, and allowed when it is kept', async (t) => {
  const ecu = await openEcu(t, 'cat $OTA_SLOT_ROOT/etc/issue; echo "token=S3CRET"; test -e good');
  const { world, directory, daemon, ota, url } = ecu;
  await world.publish({ 'etc/issue': 'two' });
  await daemon.update({ version: '2', url });
  const { failure } = await daemon.until('FAILURE');
  assert.match(failure?.reason ?? '', /^E211: .*check web ended with exit code 1/);
  const id = idIn(failure?.reason);

  const list = await ota('blackbox');
  assert.equal(list.stderr, '');
  assert.match(
    list.stdout,
    new RegExp(`^${id} +20\\S+Z +2 +slot_b +quarantined +a health probe failed$`, 'm'),
  );
  const shown = await ota('blackbox', 'show', id);
  assert.equal(shown.code, 0, shown.stderr);
  for (const part of [
    /^left +version 2 \(image [0-9a-f]{64}\) in slot_b, booted by an update$/m,
    /^because +a health probe failed$/m,
    /^name +web$/m,
    /^how +ended with exit code 1$/m,
    /^ {2}twotoken=\(redacted\)$/m,
    /old release {2}placing files\n/,
    /new release {2}checking the newly booted release\n/,
    /old release {2}running again\n/,
    /^Journal of the boot\n {2}boot of .*-b/m,
  ]) {
    assert.match(shown.stdout, part);
  }
  assert.ok(!shown.stdout.includes('S3CRET'), shown.stdout);
  const json = JSON.parse((await ota('blackbox', 'show', id, '--json')).stdout);
  assert.deepEqual(
    [json.id, json.cause, json.probe.name, json.quarantined],
    [id, 'probe_failed', 'web', true],
  );

  const standby = await snapshot(world.tree.root);
  const record = await readFile(join(directory, 'slots/status/slot_b/slot'), 'utf8');
  await daemon.update({ version: '2', url });
  const refused = await daemon.until('FAILURE');
  assert.match(
    refused.failure?.reason ?? '',
    new RegExp(
      `^E320: .*version 2 \\(image \\w{12}\\) was left on 20\\S+ because a health probe failed.*${id}.*--force`,
    ),
  );
  assert.equal(refused.failure?.type, 'UNRECOVERABLE');
  assert.deepEqual(await snapshot(world.tree.root), standby, 'nothing was written to the standby slot');
  assert.equal(await readFile(join(directory, 'slots/status/slot_b/slot'), 'utf8'), record);

  await writeFile(join(directory, 'good'), '');
  await daemon.update({ version: '2.1', url });
  await daemon.until('SUCCESS', '2.1');
  await daemon.update({ version: '2', url });
  assert.match((await daemon.until('FAILURE', '2.1')).failure?.reason ?? '', /^E320/, 'handed on');
  await daemon.update({ version: '2', url, force: true });
  await daemon.until('SUCCESS', '2');
  assert.equal((await ota('quarantine')).stdout, 'nothing is quarantined\n');
  const [kept] = JSON.parse((await ota('blackbox', '--json')).stdout).boxes;
  assert.deepEqual([kept.id, kept.quarantined], [id, false], 'the new release knows what was before it');
  assert.equal(await daemon.end('SIGTERM'), 0);
});

test('killed on the first boot: the old release tells what it can, and damaged files stop nobody', async (t) => {
  const { world, directory, daemon, ota, url } = await openEcu(
    t,
    'touch begun; while [ -e begun ]; do sleep 0.2; done',
  );
  await world.publish({ 'etc/issue': 'two' });
  await daemon.update({ version: '2', url });
  while (!(await isThere(join(directory, 'begun')))) await delay(20);
  await daemon.end('SIGKILL');
  const { failure } = await daemon.until('FAILURE');
  assert.match(
    failure?.reason ?? '',
    /^E212: .*release 2 was left because it came up, and ended without a word/,
  );
  const { cause, boots, evidence } = JSON.parse((await ota('blackbox', 'show', '--json')).stdout);
  assert.deepEqual([cause, boots], ['cut_off', 1]);
  assert.match(evidence[0].text, /boot of .*--since=@\d+/);

  const status = join(directory, 'slots/status/slot_a');
  await writeFile(join(status, 'quarantine'), '{"torn":');
  await writeFile(join(status, 'blackbox', `${idIn(failure?.reason)}.json`), 'x'.repeat(100_000));
  await writeFile(join(status, 'blackbox', 'other.json'), '{}');
  const list = await ota('blackbox');
  assert.equal(list.code, 0);
  assert.match(list.stderr, /blackbox\/other\.json is damaged/);
  assert.match(list.stderr, /the list of quarantined releases \(quarantine\) is damaged/);
  assert.match(list.stdout, /^no black boxes/);
  await rm(join(directory, 'begun'));
  await daemon.update({ version: '2', url });
  while (!(await isThere(join(directory, 'begun')))) await delay(20);
  assert.equal(await daemon.end('SIGTERM'), 0);
});
