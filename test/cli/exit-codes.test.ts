import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { exitMeanings, exitOrder, gravest } from '#cli/exit-codes.ts';
import { vehicleExitCodes } from '#cli/vehicle-options.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import type { OtaRun, RunningOta } from '../support/run-ota.ts';
import { runOta, startOta } from '../support/run-ota.ts';
import { scriptedPeer } from '../support/scripted-peer.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** A real daemon that runs release "1", an image server with release "2", and `ota` that asks the daemon. */
async function openEcu(t: TestContext, options = '') {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two', 'usr/new': 'y'.repeat(3000) });
  const daemon = await DaemonProcess.create(t, { directory: world.directory, options });
  const url = world.server.origin.href;
  const args = (words: readonly string[]): string[] => [...words, '--host', daemon.address];
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  return {
    world,
    daemon,
    ota: (...words: string[]): Promise<OtaRun> => runOta(t, args(words)),
    start: (...words: string[]): RunningOta => startOta(t, args(words)),
    update: ['update', '--ecu', 'main', '--version', '2', '--url', url],
  };
}

/** Downloads stand still until the answer is called. */
function holdDownloads(world: UpdateWorld): { readonly held: Promise<void> } {
  const { promise: held, resolve } = Promise.withResolvers<void>();
  world.intercept = (path, _request, response) => {
    if (!path.startsWith('/rootfs')) return false;
    response.writeHead(200).write('y');
    resolve();
    return true;
  };
  return { held };
}

test('0: an update and a rollback that end well', async (t) => {
  const { ota, update } = await openEcu(t);
  const done = await ota(...update, '--wait');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /^main {2}accepted\n/);
  assert.match(done.stdout, /\nmain {2}done {2}runs 2\n$/);
  const back = await ota('rollback', '--ecu', 'main', '--wait');
  assert.equal(back.code, 0, back.stdout + back.stderr);
});

test('1, 5, 8, 130: refused while another runs, out of time, stopped by an abort, no longer waited for', async (t) => {
  const { world, daemon, ota, start, update } = await openEcu(t);
  const { held } = holdDownloads(world);
  const run = start(...update, '--wait', '--json');
  await held;
  const busy = await ota(...update, '--wait');
  assert.equal(busy.code, 1);
  assert.match(busy.stdout, /^main {2}refused {2}RECOVERABLE E201: busy/);
  const abort = await ota('abort', '--wait');
  assert.equal(abort.code, 0, abort.stdout + abort.stderr);
  assert.match(abort.stdout, /\nmain {2}stopped {2}runs a release without a version\n$/);
  const { code, stdout } = await run.end;
  assert.equal(code, 8);
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  assert.deepEqual([result.exit_code, result.ecus[0].cause], [8, 'aborted']);
  const nothing = await ota('abort');
  assert.equal(nothing.code, 1, 'there is nothing to stop');

  assert.equal((await ota(...update, '--wait', '--timeout', '0.5')).code, 5);
  await daemon.until('UPDATING');
  await ota('abort');
  const watched = start(...update, '--wait');
  await watched.waitFor(/main UPDATING/);
  watched.child.kill('SIGINT');
  const stopped = await watched.end;
  assert.equal(stopped.code, 130);
  assert.match(stopped.stderr, /no longer waiting; the update goes on/);
  assert.equal((await daemon.status())?.status, 'UPDATING');
});

test('3, 4: an image that is not there, a daemon that is not there', async (t) => {
  const { daemon, ota, update } = await openEcu(t);
  const failed = await ota(...update.slice(0, -1), `${update.at(-1)}nowhere/`, '--wait');
  assert.equal(failed.code, 4, failed.stdout);
  assert.match(failed.stdout, /\nmain {2}failed {2}FAILURE: E\d{3}: /);
  await daemon.end('SIGTERM');
  for (const words of [update, ['rollback', '--ecu', 'main'], ['abort']]) {
    assert.equal((await ota(...words, '--wait')).code, 3);
  }
});

test('7: a release that does not hold, after which the ECU came back', async (t) => {
  const { world, ota, update } = await openEcu(
    t,
    `health: { start_timeout_ms: 0 }
health_checks:
  - { name: web, command: [sh, -c, 'test -e good'], timeout_ms: 60000 }`,
  );
  const back = await ota(...update, '--wait');
  assert.equal(back.code, 7, back.stdout + back.stderr);
  assert.match(back.stdout, /\nmain {2}came back {2}FAILURE: E211: .*check web/);
  await writeFile(join(world.directory, 'good'), '');
  const quarantined = await ota(...update, '--wait');
  assert.equal(quarantined.code, 4, 'E320 is a failure that nobody came back from');
  assert.equal((await ota(...update, '--wait', '--force')).code, 0);
});

test('6: a real daemon whose vehicle does not say that it stands still', async (t) => {
  const condition = '{ name: standing, when: "Vehicle.Speed == 0", describe: the vehicle stands still }';
  const refusing = await openEcu(t, `preconditions: { start: [${condition}] }`);
  const refused = await refusing.ota(...refusing.update, '--wait', '--json');
  assert.equal(refused.code, 6, refused.stdout);
  assert.equal(JSON.parse(refused.stdout).ecus[0].cause, 'vehicle_state');
  const waiting = await openEcu(t, `preconditions: { start: [${condition}], start_wait_ms: 1500 }`);
  const vain = await waiting.ota(...waiting.update, '--wait');
  assert.equal(vain.code, 6, vain.stdout + vain.stderr);
  assert.match(vain.stdout, /\nmain {2}not now {2}FAILURE: E213: /);
});

test('6: the state of the vehicle forbids it, at once or after it was waited for in vain', async (t) => {
  const reason = 'E213: not now: Vehicle.Speed is 12 km/h; wait until the vehicle stands still';
  let accepts = false;
  let asked = false;
  const peer = await scriptedPeer(t, {
    update: () => {
      asked = accepts;
      return { ecu: [{ ecuId: 'main', ...(accepts ? {} : { result: 1, message: reason }) }] };
    },
    status: () => ({
      ecuV2: [{ ecuId: 'main', otaStatus: asked ? 2 : 1, failureType: 1, failureReason: reason }],
    }),
  });
  const update = ['update', '--ecu', 'main', '--version', '2', '--url', 'http://10.0.0.9/', '--wait'];
  const refused = await runOta(t, [...update, '--host', peer.address]);
  assert.equal(refused.code, 6);
  assert.match(refused.stdout, /^main {2}not now {2}E213/);
  const two = await runOta(t, [...update, '--ecu', 'camera', '--host', peer.address]);
  assert.equal(two.code, 1, 'another ECU refused for another reason');
  accepts = true;
  const vain = await runOta(t, [...update, '--host', peer.address]);
  assert.equal(vain.code, 6, vain.stdout + vain.stderr);
});

test('of several codes the gravest is taken, and each has its meaning', () => {
  const codes: number[] = Object.values(vehicleExitCodes);
  assert.equal(new Set(codes).size, codes.length);
  for (const code of codes) {
    assert.ok(
      exitMeanings.some(([number]) => number === `${code}`),
      `${code} has no meaning`,
    );
    assert.ok(exitOrder.includes(code) || code === vehicleExitCodes.notLetIn);
  }
  assert.equal(gravest([]), 0);
  assert.equal(gravest([6, 1]), 1);
  assert.equal(gravest([5, 8, 7, 4]), 4);
});
