import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DaemonProcess } from '../support/daemon-process.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';
import { VssBrokerProcess } from '../support/vss-broker.ts';

const example = join(import.meta.dirname, '../../docs/examples/preconditions.yml');

/** The signals of a vehicle that stands, as its broker has them. */
const parked = {
  'Vehicle.IsMoving': false,
  'Vehicle.Speed': 0,
  'Vehicle.Powertrain.Transmission.SelectedGear': 126,
  'Vehicle.LowVoltageBattery.CurrentVoltage': 12.6,
  'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current': 55,
  'Vehicle.Diagnostics.DTCList': [],
} as const;

async function daemonOf(t: TestContext, world: UpdateWorld, setting: { ecuInfo?: string; options?: string }) {
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one' });
  const daemon = await DaemonProcess.create(t, { directory: world.directory, ...setting });
  void daemon.supervise();
  return daemon;
}

test('a vehicle with the shipped conditions refuses for all of its ECUs while it drives, and updates all when it is parked', async (t) => {
  const [mainWorld, childWorld] = [await UpdateWorld.create(t), await UpdateWorld.create(t)];
  for (const world of [mainWorld, childWorld]) await world.publish({ 'etc/issue': 'two' });
  const broker = await VssBrokerProcess.start(t);
  const child = await daemonOf(t, childWorld, {
    ecuInfo: 'ecu_id: child\nbootloader: directory\nip_addr: 127.0.0.1\n',
  });
  const shipped = (await readFile(example, 'utf8')).replace('127.0.0.1:55555', `'${broker.address}'`);
  const main = await daemonOf(t, mainWorld, {
    ecuInfo: `ecu_id: main
bootloader: directory
ip_addr: 127.0.0.1
available_ecu_ids: [main, child]
secondaries: [{ ecu_id: child, ip_addr: 127.0.0.1, port: ${child.address.split(':')[1]} }]
`,
    options: shipped,
  });
  const ecus = async () => (await main.client.status(main.call()).catch(() => undefined))?.ecus ?? [];
  const until = async (what: string, fits: (all: Awaited<ReturnType<typeof ecus>>) => boolean) => {
    const end = performance.now() + 90_000;
    for (;;) {
      const all = await ecus();
      if (fits(all)) return;
      if (performance.now() > end) throw new Error(`never ${what}: ${JSON.stringify(all)}`);
      await delay(50);
    }
  };
  await until('both there', (all) => all.length === 2);
  const entry = (ecuId: string, world: UpdateWorld) => ({
    ecuId,
    version: '2',
    url: world.server.origin.href,
    cookies: '',
    releaseName: '',
    releaseId: '',
    imageId: '',
  });
  const update = () =>
    main.client.update(
      { entries: [entry('main', mainWorld), entry('child', childWorld)], requestId: 'r' },
      main.call(10_000),
    );
  /** Sends all values again and again, as a vehicle's network does. */
  let now: Readonly<Record<string, unknown>> = { ...parked, 'Vehicle.IsMoving': true, 'Vehicle.Speed': 80 };
  const driving = new AbortController();
  const sending = (async () => {
    while (!driving.signal.aborted) {
      for (const [path, value] of Object.entries(now)) await broker.set(path, value);
      await delay(300, undefined, { signal: driving.signal }).catch(() => {});
    }
  })();
  try {
    const main80 = (all: Awaited<ReturnType<typeof ecus>>) =>
      all.find(({ ecuId }) => ecuId === 'main')?.waitingFor ?? [];
    await until(
      'only moving',
      (all) => main80(all).length === 1 && /Vehicle\.Speed is 80/.test(main80(all)[0] ?? ''),
    );
    const refused = await update();
    assert.deepEqual(
      refused.map(({ ecuId, blocked }) => [ecuId, blocked]),
      [
        ['main', true],
        ['child', true],
      ],
    );
    for (const { message } of refused)
      assert.match(message, /^E213: .*the vehicle stands, in Park or with its brake on/);
    assert.deepEqual(
      (await ecus()).map(({ status }) => status),
      ['INITIALIZED', 'INITIALIZED'],
    );
    now = parked;
    await until('nothing in the way', (all) => all.length === 2 && main80(all).length === 0);
    for (const answer of await update()) assert.equal(answer.result, 'NO_FAILURE', answer.message);
    await until(
      'both updated',
      (all) =>
        all.length === 2 && all.every((one) => one.status === 'SUCCESS' && one.firmwareVersion === '2'),
    );
  } finally {
    driving.abort();
    await sending.catch(() => {});
  }
});
