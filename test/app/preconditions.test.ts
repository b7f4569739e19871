import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EcuStatus } from '#domain/status.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { runOta } from '../support/run-ota.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';
import { VssBrokerProcess } from '../support/vss-broker.ts';

const speed = 'Vehicle.Speed';
const moving = 'Vehicle.IsMoving';

/** A vehicle with a broker, and a daemon whose updates depend on it. */
async function guarded(t: TestContext, preconditions: string, more = '') {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  await world.publish({ 'etc/issue': 'two', 'usr/new': 'y'.repeat(3000) });
  const broker = await VssBrokerProcess.start(t);
  const daemon = await DaemonProcess.create(t, {
    directory: world.directory,
    options: `diagnostics: { kuksa: { address: '${broker.address}' } }
preconditions: ${preconditions}
${more}`,
  });
  void daemon.supervise();
  await daemon.until('INITIALIZED');
  const drive = async (kmh: number): Promise<void> => {
    await broker.set(moving, kmh > 0);
    await broker.set(speed, kmh);
  };
  const update = async () => {
    const [answer] = await daemon.update({ version: '2', url: world.server.origin.href });
    assert.ok(answer);
    return answer;
  };
  return { world, broker, daemon, drive, update };
}

async function shows(daemon: DaemonProcess, what: string, fits: (status: EcuStatus) => boolean) {
  const end = performance.now() + 60_000;
  for (;;) {
    const status = await daemon.status();
    if (status !== undefined && fits(status)) return status;
    if (performance.now() > end) throw new Error(`never ${what}: ${JSON.stringify(status)}`);
    await delay(20);
  }
}

const waits = (status: EcuStatus): boolean => status.status === 'UPDATING' && status.waitingFor.length > 0;
const parked = `{ name: parked, when: not ${moving} and ${speed} < 0.1, max_age_ms: 120000 }`;

describe('an update that depends on the state of the vehicle', () => {
  it('is refused while it drives, with reasons everywhere, and taken when it is parked', async (t) => {
    const { world, daemon, drive, update } = await guarded(t, `{ start: [${parked}] }`);
    assert.match(
      (await update()).message,
      /^E213: .*parked: .*Vehicle\.IsMoving has no value/,
      'nothing is known yet',
    );
    await drive(42);
    await shows(daemon, 'moving', ({ waitingFor }) => /Vehicle\.Speed is 42/.test(waitingFor[0] ?? ''));
    const answer = await update();
    assert.equal(answer.result, 'RECOVERABLE');
    assert.match(
      answer.message,
      /^E213: .*parked: .*Vehicle\.IsMoving is true, \d+\.\d s old; Vehicle\.Speed is 42/,
    );
    const told = await runOta(t, ['status', '--host', daemon.address]);
    assert.match(told.stdout, /an update has to wait for:\n.*parked: .*Vehicle\.Speed is 42/);
    const json = JSON.parse((await runOta(t, ['status', '--json', '--host', daemon.address])).stdout);
    assert.match(json.ecus[0].waiting_for[0], /^parked: /);
    await drive(0);
    await shows(daemon, 'parked', ({ waitingFor }) => waitingFor.length === 0);
    assert.equal((await update()).result, 'NO_FAILURE');
    await daemon.until('SUCCESS', '2');
    assert.equal(await readFile(join(world.tree.root, 'etc/issue'), 'utf8'), 'two');
  });

  it('is refused when values have grown old, or the broker has gone', async (t) => {
    const condition = `{ name: parked, when: not ${moving}, max_age_ms: 1500 }`;
    const { daemon, drive, update } = await guarded(t, `{ start: [${condition}] }`);
    await drive(0);
    await shows(daemon, 'parked', ({ waitingFor }) => waitingFor.length === 0);
    await shows(daemon, 'too old', ({ waitingFor }) => /which is too old/.test(waitingFor[0] ?? ''));
    assert.match((await update()).message, /Vehicle\.IsMoving is false, .*which is too old/);
  });

  for (const point of ['start', 'activation', 'reboot'] as const) {
    it(`waits at ${point}, goes on when it is parked, and can be stopped there`, async (t) => {
      const options = `{ ${point}: [${parked}], start_wait_ms: 600000 }`;
      const { world, daemon, drive, update } = await guarded(t, options);
      await drive(30);
      assert.equal((await update()).result, 'NO_FAILURE');
      await shows(daemon, 'waiting', waits);
      const [stopped] = await daemon.client.abort({ ecuIds: ['main'], requestId: 'a' }, daemon.call(20_000));
      assert.equal(stopped?.result, 'NO_FAILURE');
      await daemon.until('ABORTED');
      assert.equal((await update()).result, 'NO_FAILURE');
      await shows(daemon, 'waiting again', waits);
      assert.equal(await readFile(join(world.tree.activeRoot, 'etc/issue'), 'utf8'), 'one');
      await drive(0);
      await daemon.until('SUCCESS', '2');
    });

    it(`fails when its time to wait at ${point} is over, and the old release is untouched`, async (t) => {
      const options = `{ ${point}: [${parked}], ${point}_wait_ms: 700 }`;
      const { world, daemon, drive, update } = await guarded(t, options);
      await drive(30);
      assert.equal((await update()).result, 'NO_FAILURE');
      const { failure, firmwareVersion } = await daemon.until('FAILURE');
      assert.match(failure?.reason ?? '', /^E213: .*Vehicle\.Speed is 30.*it was waited for 1 s/);
      assert.equal(firmwareVersion, '');
      // A restart is a boot here: nothing leads to the new release any more.
      await daemon.end('SIGKILL');
      await daemon.until('FAILURE');
      assert.equal(await readFile(join(world.tree.activeRoot, 'etc/issue'), 'utf8'), 'one');
    });
  }

  it('that drives off during the download is switched only when it is parked again', async (t) => {
    const options = `{ start: [${parked}], activation: [${parked}], reboot: [${parked}] }`;
    const { world, daemon, drive, update } = await guarded(t, options);
    await drive(0);
    await shows(daemon, 'parked', ({ waitingFor }) => waitingFor.length === 0);
    const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    world.intercept = async (path) => {
      if (!path.startsWith('/rootfs')) return false;
      asked.resolve();
      await goOn.promise;
      return false;
    };
    assert.equal((await update()).result, 'NO_FAILURE');
    await asked.promise;
    await drive(42);
    goOn.resolve();
    const { waitingFor } = await shows(daemon, 'waiting', waits);
    assert.match(waitingFor[0] ?? '', /Vehicle\.Speed is 42/);
    assert.equal(JSON.parse(await readFile(join(world.directory, 'slots/boot.json'), 'utf8')).once, null);
    const told = await runOta(t, ['status', '--host', daemon.address]);
    assert.match(told.stdout, /parked: .*Vehicle\.Speed is 42/);
    await drive(0);
    await daemon.until('SUCCESS', '2');
  });

  it('killed while it waits, comes back as it was, as interrupted, or in the new release', async (t) => {
    for (const [point, status] of [
      ['start', 'INITIALIZED'],
      ['activation', 'FAILURE'],
      ['reboot', 'SUCCESS'],
    ] as const) {
      const options = `{ ${point}: [${parked}], start_wait_ms: 600000 }`;
      const { daemon, drive, update } = await guarded(t, options);
      await drive(30);
      assert.equal((await update()).result, 'NO_FAILURE');
      await shows(daemon, `waiting at ${point}`, waits);
      await daemon.end('SIGKILL');
      const { failure, firmwareVersion } = await daemon.until(status);
      assert.equal(firmwareVersion, point === 'reboot' ? '2' : '');
      if (point === 'activation') assert.match(failure?.reason ?? '', /^E210: /);
    }
  });

  it('is not kept when a health check over signals fails, and the reason has the values', async (t) => {
    const check = `health: { start_timeout_ms: 3000 }
health_checks: [{ name: no codes, signal: empty(Vehicle.Diagnostics.DTCList), max_age_ms: 120000 }]`;
    const { broker, daemon, update } = await guarded(t, '{}', check);
    await broker.set('Vehicle.Diagnostics.DTCList', ['P0301']);
    await update();
    const { failure } = await daemon.until('FAILURE');
    assert.match(
      failure?.reason ?? '',
      /^E211: .*check no codes is not fulfilled \(Vehicle\.Diagnostics\.DTCList is \[P0301\]/,
    );
    await broker.set('Vehicle.Diagnostics.DTCList', []);
    const [answer] = await daemon.update({ version: '2', url: 'http://127.0.0.1:1/', force: true });
    assert.equal(answer?.result, 'NO_FAILURE');
  });
});
