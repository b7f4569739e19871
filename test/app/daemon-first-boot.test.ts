import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { DaemonProcess } from '../support/daemon-process.ts';
import { programsOnPath } from '../support/programs.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** A daemon that is being updated to version 2, whose probe passes as long as the file `healthy` is there. */
async function updating(t: TestContext, health: string, env: Record<string, string> = {}) {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two' });
  const healthy = join(world.directory, 'healthy');
  await writeFile(healthy, '');
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    options: `health: ${health}
health_checks: [{ name: camera, command: [test, -e, ${healthy}], timeout_ms: 5000 }]`,
  });
  void daemon.supervise({ env });
  await daemon.until('INITIALIZED');
  await daemon.update({ version: '2', url: world.server.origin.href });
  return { daemon, healthy };
}

test('while its probes hold, a release answers Status, survives a power cut, and is kept at the end', async (t) => {
  const { daemon } = await updating(t, '{ hold_ms: 1500, interval_ms: 200 }');
  await daemon.untilLogged(/must hold for 1\.5 s/);
  const status = await daemon.until('UPDATING');
  assert.equal(status.progress?.phase, 'FINALIZING_UPDATE');
  assert.equal(status.firmwareVersion, '2');
  await daemon.untilLogged(/a power cut now does not lead back/);
  await daemon.end('SIGKILL');
  await daemon.until('SUCCESS', '2');
  assert.match(daemon.log, /boot 2 of it/);
});

test('a probe that fails while it should hold sends the ECU back, and says for how long it had passed', async (t) => {
  const { daemon, healthy } = await updating(t, '{ hold_ms: 60000, interval_ms: 200 }');
  await daemon.untilLogged(/a power cut now does not lead back/);
  await rm(healthy);
  const { failure, firmwareVersion } = await daemon.until('FAILURE');
  assert.match(failure?.reason ?? '', /^E211: .*check camera ended with exit code 1; it had passed for/);
  assert.equal(firmwareVersion, '');
});

test('the service manager is told that the daemon is ready, what it is at, that it lives, and that it ends', async (t) => {
  const said = await programsOnPath(t, { 'systemd-notify': 'echo "$*" >> said' });
  const env = { NOTIFY_SOCKET: '/run/somewhere', WATCHDOG_USEC: '300000' };
  const { daemon } = await updating(t, '{ start_timeout_ms: 0 }', env);
  await daemon.until('SUCCESS', '2');
  assert.equal(await daemon.end('SIGTERM'), 0);
  const words = await readFile(join(said, 'said'), 'utf8');
  for (const wanted of [
    /^READY=1$/m,
    /^WATCHDOG=1$/m,
    /^STATUS=updating to version 2 \(placing\)$/m,
    /^STATUS=SUCCESS$/m,
    /^STOPPING=1$/m,
  ]) {
    assert.match(words, wanted);
  }
});
