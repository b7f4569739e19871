import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import { type Ecu, OtaState, Reachability } from '#gen/ota/console/v1/types_pb.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/free-port.ts';
import { genericPeer } from '../support/generic-peer.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** Asks the console of a daemon as its own user would. */
async function consoleOf(directory: string, port: number) {
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '1.1' });
  const client = createClient(ConsoleService, transport);
  const file = join(directory, 'state/console/local-token');
  /** The token is another one after every start. */
  const signedIn = async () => {
    const token = await readFile(file, 'utf8').catch(() => '');
    return { headers: { authorization: `Bearer ${token.trim()}` }, timeoutMs: 30_000 };
  };
  return { client, signedIn, file };
}

/** Asks again until the answer is what is wanted; a daemon that reboots does not answer meanwhile. */
async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean, what: string): Promise<T> {
  const end = performance.now() + 90_000;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (fits(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await delay(100);
  }
  throw new Error(`${what} did not come about: ${String(last)}`);
}

async function vehicle(t: TestContext) {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { 'etc/issue': 'one', 'usr/same': 'x'.repeat(5000) });
  await world.publish({ 'etc/issue': 'two', 'usr/same': 'x'.repeat(5000) });
  const old = await genericPeer(t, {
    Status: () => ({
      available_ecu_ids: ['old'],
      ecu_v2: [{ ecu_id: 'old', firmware_version: '0.9', otaclient_version: '3.8', ota_status: 1 }],
    }),
  });
  const childDirectory = join(world.directory, 'child');
  await mkdir(childDirectory);
  const childPort = await freePort();
  const child = await DaemonProcess.create(t, {
    directory: childDirectory,
    ecuInfo: `ecu_id: child\nbootloader: directory\nip_addr: 127.0.0.1\nport: ${childPort}\n`,
    options: `console: { enabled: false }\n`,
    trust: join(world.directory, 'trust'),
  });
  const port = await freePort();
  const main = await DaemonProcess.create(t, {
    directory: world.directory,
    ecuInfo: `ecu_id: main
bootloader: directory
ip_addr: 127.0.0.1
secondaries:
  - { ecu_id: child, ip_addr: 127.0.0.1, port: ${childPort} }
  - { ecu_id: old, ip_addr: 127.0.0.1, port: ${old} }
available_ecu_ids: [main, child, old, spare]
`,
    options: `console: { port: ${port} }\nchildren: { poll_active_ms: 100, poll_idle_ms: 300 }\n`,
  });
  void child.supervise();
  void main.supervise();
  return { world, main, child, ...(await consoleOf(world.directory, port)) };
}

test('people see a vehicle, plan an update, start it, and read afterwards what happened', async (t) => {
  const { world, client, signedIn, file } = await vehicle(t);
  const seen = async (): Promise<readonly Ecu[]> => {
    return (await client.getVehicle({}, await signedIn())).vehicle?.ecus ?? [];
  };
  const ecus = await until(
    seen,
    (all) => all.filter(({ reachability }) => reachability === Reachability.REACHABLE).length === 3,
    'three ECUs that answer',
  );
  assert.deepEqual(
    ecus.map((ecu) => [
      ecu.ecuId,
      ecu.parentEcuId,
      ecu.reachability,
      ecu.slot,
      ecu.bootloader,
      ecu.firmwareVersion,
    ]),
    [
      ['main', '', Reachability.REACHABLE, 'slot_a', 'directory', ''],
      ['child', 'main', Reachability.REACHABLE, 'slot_a', 'directory', ''],
      ['old', 'main', Reachability.REACHABLE, '', '', '0.9'],
      ['spare', '', Reachability.NEVER_SEEN, '', '', ''],
    ],
  );
  assert.equal((await stat(file)).mode & 0o777, 0o600);

  const url = world.server.origin.href;
  const target = (ecuId: string) => ({ ecuId, version: '2.0', url });
  const targets = ['main', 'child', 'old', 'spare', 'nobody'].map(target);
  const { plans } = await client.planUpdate({ targets }, await signedIn());
  const [main, child, old, spare, nobody] = plans;
  assert.deepEqual([main?.isKnown, main?.refusals, main?.unknownReason], [true, [], '']);
  assert.deepEqual(
    [main?.total?.files, main?.copy?.bytes, main?.download?.files, main?.download?.bytes],
    [2n, 5000n, 1n, 3n],
  );
  assert.ok(Number(main?.neededBytes) > 5000 && Number(main?.availableBytes) > Number(main?.neededBytes));
  assert.deepEqual([child?.isKnown, child?.download?.files], [true, 2n], 'the child has none of it');
  assert.deepEqual([old?.isKnown, old?.refusals], [false, []]);
  assert.match(old?.unknownReason ?? '', /speaks only OtaClientV2/);
  assert.match(spare?.unknownReason ?? '', /never heard of/);
  assert.match(nobody?.refusals[0] ?? '', /no ECU nobody/);
  const wrong = await client.planUpdate(
    { targets: [{ ...target('main'), url: `${url}nothing/` }] },
    await signedIn(),
  );
  assert.equal(wrong.plans[0]?.isKnown, false);
  assert.match(wrong.plans[0]?.refusals[0] ?? '', /^E\d{3}: /);

  const { answers, requestId } = await client.startUpdate({ targets: [target('main')] }, await signedIn());
  assert.deepEqual([answers[0]?.accepted, answers[0]?.message], [true, '']);
  const done = await until(
    seen,
    ([own]) => own?.state === OtaState.SUCCESS && own.firmwareVersion === '2.0',
    'the update',
  );
  assert.equal(done[0]?.slot, 'slot_b');

  const { events } = await client.listEvents({ pageSize: 1000 }, await signedIn());
  const lines = events.map(({ text, ecuId }) => `${ecuId} ${text}`).reverse();
  const asked = events.find(({ text }) => text.startsWith('asks for update of main'));
  assert.deepEqual([asked?.caller, asked?.details['request_id']], ['operator:local', requestId]);
  for (const line of [
    /^ the daemon starts/,
    /^ the daemon ends/,
    /^main .*UPDATING.*downloading ota files/,
    /^main .*SUCCESS, runs 2\.0/,
    /^child answers/,
  ]) {
    assert.ok(
      lines.some((one) => line.test(one)),
      `${line} in\n${lines.join('\n')}`,
    );
  }
  assert.equal(
    lines.filter((line) => line.startsWith(' the daemon starts')).length,
    2,
    'before and after the reboot',
  );
  assert.ok(events.every(({ sequence }, at) => at === 0 || sequence < (events[at - 1]?.sequence ?? 0n)));
});

test('people read the black box of a release that did not become healthy, also of a child', async (t) => {
  const world = await UpdateWorld.create(t);
  await world.publish({ 'etc/issue': 'two' });
  const childPort = await freePort();
  const childDirectory = join(world.directory, 'child');
  await mkdir(childDirectory);
  const health =
    'health: { start_timeout_ms: 3000 }\nhealth_checks:\n  - { name: camera, command: [sh, -c, "echo no picture; exit 3"] }\n';
  const child = await DaemonProcess.create(t, {
    directory: childDirectory,
    ecuInfo: `ecu_id: child\nbootloader: directory\nip_addr: 127.0.0.1\nport: ${childPort}\n`,
    // Both trust the same root.
    options: `console: { enabled: false }\n${health}`,
    trust: join(world.directory, 'trust'),
  });
  const port = await freePort();
  const main = await DaemonProcess.create(t, {
    directory: world.directory,
    ecuInfo: `ecu_id: main\nbootloader: directory\nip_addr: 127.0.0.1\nsecondaries: [{ ecu_id: child, ip_addr: 127.0.0.1, port: ${childPort} }]\navailable_ecu_ids: [main, child]\n`,
    options: `console: { port: ${port} }\nchildren: { poll_active_ms: 100, poll_idle_ms: 300 }\n`,
  });
  void child.supervise();
  void main.supervise();
  const { client, signedIn } = await consoleOf(world.directory, port);
  const childNow = async () => (await client.getVehicle({}, await signedIn())).vehicle?.ecus[1];
  await until(childNow, (ecu) => ecu?.reachability === Reachability.REACHABLE, 'a child that answers');
  const targets = [{ ecuId: 'child', version: '2.0', url: world.server.origin.href }];
  const { answers } = await client.startUpdate({ targets }, await signedIn());
  assert.equal(answers[0]?.accepted, true, answers[0]?.message ?? '');
  const judged = await until(childNow, (ecu) => (ecu?.healthProbes.length ?? 0) > 0, 'a first boot');
  assert.deepEqual(
    judged?.healthProbes.map(({ name, kind, passes }) => [name, kind, passes]),
    [['camera', 'command', false]],
  );
  const failed = await until(childNow, (ecu) => ecu?.state === OtaState.FAILURE, 'the return');
  assert.deepEqual([failed?.failure?.code, failed?.failure?.recoverable], ['E211', true]);
  assert.deepEqual(failed?.healthProbes, [], 'it is decided');

  const { blackBoxes } = await client.listBlackBoxes({ ecuId: 'child' }, await signedIn());
  assert.equal(blackBoxes.length, 1);
  const [summary] = blackBoxes;
  assert.equal(failed?.failure?.blackBoxId, summary?.id);
  assert.deepEqual(
    [summary?.ecuId, summary?.cause, summary?.leftVersion, summary?.quarantined],
    ['child', 'probe_failed', '2.0', true],
  );
  const { blackBox } = await client.getBlackBox({ ecuId: 'child' }, await signedIn());
  assert.equal(blackBox?.summary?.id, summary?.id);
  assert.equal(blackBox?.failedProbe?.name, 'camera');
  assert.match(blackBox?.failedProbe?.output ?? '', /no picture/);
  assert.ok(blackBox.timeline.length > 0);

  const { plans } = await client.planUpdate({ targets }, await signedIn());
  assert.match(plans[0]?.refusals[0] ?? '', /^E320: /, 'the plan knows of the quarantine');
  const code = async (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
  assert.equal(
    await code(client.getBlackBox({ ecuId: 'child', id: 'other' }, await signedIn())),
    Code.NotFound,
  );
  assert.equal(await code(client.getBlackBox({}, await signedIn())), Code.NotFound, 'main has none');
  assert.equal(await code(client.listBlackBoxes({ ecuId: 'nobody' }, await signedIn())), Code.NotFound);
});
