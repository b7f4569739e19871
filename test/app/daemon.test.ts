import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DaemonProcess, rebootExitCode } from '../support/daemon-process.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

test('a daemon on empty directories is INITIALIZED, and ends in order on SIGTERM', async (t) => {
  const daemon = await DaemonProcess.create(t, { directory: await scratchDirectory(t) });
  daemon.start();
  const status = await daemon.until('INITIALIZED');
  assert.equal(status.failure, undefined);
  assert.match(status.otaclientVersion, /^\d+\.\d+\.\d+/);
  assert.equal(await daemon.end('SIGTERM'), 0);
});

test('a second daemon on the same state ends, and the first goes on', async (t) => {
  const directory = await scratchDirectory(t);
  const first = await DaemonProcess.create(t, { directory });
  first.start();
  await first.until('INITIALIZED');
  const second = await DaemonProcess.create(t, { directory });
  second.start();
  assert.equal(await second.exitCode(), 1);
  assert.match(second.log, /daemon\.pid is held by process \d+/);
  await first.until('INITIALIZED');
});

test('a daemon whose address is taken ends with a line that says so', async (t) => {
  const first = await DaemonProcess.create(t, { directory: await scratchDirectory(t) });
  first.start();
  await first.until('INITIALIZED');
  const directory = await scratchDirectory(t);
  const second = await DaemonProcess.create(t, { directory });
  const options = join(directory, 'ota.yml');
  const port = /port: (\d+)/.exec(await readFile(join(directory, 'ota.yml'), 'utf8'))?.[1] ?? '';
  const taken = /"port":(\d+)/.exec(first.log)?.[1] ?? '';
  await writeFile(options, (await readFile(options, 'utf8')).replace(port, taken));
  second.start();
  assert.equal(await second.exitCode(), 1);
  assert.match(second.log, /in use/i);
});

test('a broken ecu_info.yml shows in Status, and updates are refused', async (t) => {
  const directory = await scratchDirectory(t);
  const daemon = await DaemonProcess.create(t, {
    directory,
    ecuInfo: 'ecu_id: main\nip_addr: nonsense\nbootloader: directory\n',
  });
  daemon.start();
  const status = await daemon.until('FAILURE');
  assert.match(status.failure?.reason ?? '', /^E316: .*ecu_info\.yml:2: ip_addr/);
  const [answer] = await daemon.update({ version: '2', url: 'http://127.0.0.1/' });
  assert.equal(answer?.result, 'UNRECOVERABLE');
  assert.match(answer?.message ?? '', /^E316: /);
});

test('slots that cannot be opened show in Status, and updates are refused', async (t) => {
  const directory = await scratchDirectory(t);
  const daemon = await DaemonProcess.create(t, { directory });
  await makeTree(join(directory, 'slots'), { 'boot.json': '{"torn":' });
  daemon.start();
  const status = await daemon.until('FAILURE');
  assert.match(status.failure?.reason ?? '', /^E302: .*boot\.json/);
  const [answer] = await daemon.update({ version: '2', url: 'http://127.0.0.1/' });
  assert.equal(answer?.result, 'UNRECOVERABLE');
});

test('one Update brings a new release over the reboot, one Rollback the old one', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one', 'usr/same': 'x'.repeat(5000) });
  await world.publish({ 'etc/issue': 'two', 'usr/same': 'x'.repeat(5000), 'usr/link': { symlink: 'same' } });
  const daemon = await DaemonProcess.create(t, { directory: world.directory });
  void daemon.supervise();
  await daemon.until('INITIALIZED');

  const answers = await daemon.update({ version: '2', url: world.server.origin.href });
  assert.deepEqual(answers, [{ ecuId: 'main', result: 'NO_FAILURE', message: '' }]);
  assert.equal((await daemon.status())?.status, 'UPDATING', 'right after the answer');
  await daemon.until('SUCCESS', '2');
  assert.equal(await readFile(join(world.tree.root, 'etc/issue'), 'utf8'), 'two');

  const [rollback] = await daemon.client.rollback({ ecuIds: ['main'], requestId: 'r' }, daemon.call());
  assert.equal(rollback?.result, 'NO_FAILURE');
  const status = await daemon.until('SUCCESS', '');
  assert.equal(status.failure, undefined);
  assert.equal(await daemon.end('SIGTERM'), 0);
});

test('a release that fails its health check is left again, and Status says which check', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two' });
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    options: `health: { start_timeout_ms: 0 }
health_checks:
  - { name: issue, command: [sh, -c, 'cat $OTA_SLOT_ROOT/etc/issue; exit 3'], timeout_ms: 5000 }`,
  });
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  await daemon.update({ version: '2', url: world.server.origin.href });
  const { failure, firmwareVersion } = await daemon.until('FAILURE');
  assert.match(failure?.reason ?? '', /^E211: .*check issue ended with exit code 3, and wrote: two/);
  assert.equal(firmwareVersion, '');
  const [answer] = await daemon.client.rollback({ ecuIds: ['main'], requestId: 'r' }, daemon.call());
  assert.match(answer?.message ?? '', /^E202: .*never confirmed/);
});

test('killed in the middle of an update, it says so and takes the same update again', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two', 'usr/new': 'y'.repeat(3000) });
  const daemon = await DaemonProcess.create(t, { directory: world.directory });
  const held = Promise.withResolvers<void>();
  world.intercept = (path, _request, response) => {
    if (!path.startsWith('/rootfs')) return false;
    response.writeHead(200).write('y');
    held.resolve();
    return true;
  };
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  await daemon.update({ version: '2', url: world.server.origin.href });
  await held.promise;
  const [busy] = await daemon.update({ version: '3', url: world.server.origin.href });
  assert.match(busy?.message ?? '', /^E201: busy: updating to version 2 \(placing\)/);
  await daemon.end('SIGKILL');
  const { failure } = await daemon.until('FAILURE');
  assert.match(failure?.reason ?? '', /^E210: .*version 2 was cut off while placing files/);

  world.intercept = () => false;
  await daemon.update({ version: '2', url: world.server.origin.href });
  await daemon.until('SUCCESS', '2');
});

test('an abort in the middle of a download ends within 5 s, and the ECU is updatable', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two', 'usr/new': 'y'.repeat(3000) });
  const daemon = await DaemonProcess.create(t, { directory: world.directory });
  const held = Promise.withResolvers<void>();
  world.intercept = (path, _request, response) => {
    if (!path.startsWith('/rootfs')) return false;
    response.writeHead(200).write('y');
    held.resolve();
    return true;
  };
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  await daemon.update({ version: '2', url: world.server.origin.href });
  await held.promise;
  const started = performance.now();
  const [answer] = await daemon.client.abort({ ecuIds: ['main'], requestId: 'r' }, daemon.call(6000));
  assert.deepEqual(answer, { ecuId: 'main', result: 'NO_FAILURE', message: '' });
  assert.ok(performance.now() - started < 5000);
  await daemon.until('ABORTED', undefined, 1000);

  world.intercept = () => false;
  await daemon.update({ version: '2', url: world.server.origin.href });
  await daemon.until('SUCCESS', '2');
});

test('with a reboot command the daemon goes on answering Status until it is ended', async (t) => {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two' });
  const mark = join(world.directory, 'rebooted');
  const daemon = await DaemonProcess.create(t, { directory: world.directory });
  const file = join(world.directory, 'ota.yml');
  const options = await readFile(file, 'utf8');
  await writeFile(
    file,
    options.replace(`reboot: { exit_code: ${rebootExitCode} }`, `reboot: { command: [touch, ${mark}] }`),
  );
  daemon.start();
  await daemon.until('INITIALIZED');
  await daemon.update({ version: '2', url: world.server.origin.href });
  while ((await readFile(mark).catch(() => undefined)) === undefined) await daemon.until('UPDATING');
  assert.equal((await daemon.until('UPDATING')).progress?.phase, 'FINALIZING_UPDATE');
  assert.equal(await daemon.end('SIGTERM'), 0);
  daemon.start();
  await daemon.until('SUCCESS', '2');
});
