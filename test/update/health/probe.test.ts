import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { parseOptions } from '#config/options.ts';
import type { ProbeFailure } from '#domain/trial-end.ts';
import { makeProbe, type Probe } from '#update/health/probe.ts';
import { programsOnPath } from '../../support/programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { likeInChroot } from '../../support/systemctl.ts';

const never = new AbortController().signal;

/** Asks the one check that is written as in `ota.yml`. */
async function ask(check: string, signal = never): Promise<ProbeFailure | undefined> {
  return probeOf(check).ask(signal);
}

function probeOf(check: string): Probe {
  const { options, problem } = parseOptions(`health_checks: [{ name: it, ${check} }]`, 'ota.yml', {});
  assert.equal(problem, undefined);
  const [first] = options.healthChecks;
  assert.ok(first !== undefined);
  const probeGrpc = ({ address, service }: { address: string; service: string }) =>
    Promise.resolve({ how: `asked ${address} for ${service}`, output: '' });
  const probeSignals = ({ when, maxAgeMs }: { when: string; maxAgeMs: number }) => ({
    how: `judged ${when} by values of ${maxAgeMs} ms`,
    output: '',
  });
  return makeProbe(first, { root: '/slots/b', version: '2' }, { probeGrpc, probeSignals });
}

/** Listens on a port of this machine; `serve` answers each request. */
async function httpServer(t: TestContext, serve: (response: ServerResponse) => void): Promise<string> {
  const server = createHttpServer((_request, response) => serve(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
}

test('a command passes with exit code 0; it finds the booted slot and its version', async () => {
  assert.equal(
    await ask("command: [sh, -c, 'test $OTA_SLOT_ROOT = /slots/b -a $OTA_VERSION = 2']"),
    undefined,
  );
});

test('a command that fails, dies, hangs or cannot be started has failed, with what it wrote', async () => {
  const cases: [string, string | RegExp, string | RegExp][] = [
    ["command: [sh, -c, 'echo no; echo why >&2; exit 7']", 'ended with exit code 7', 'no\n\nwhy'],
    ["command: [sh, -c, 'kill -9 $$']", 'ended by SIGKILL', ''],
    ["command: [sh, -c, 'echo so far; sleep 60'], timeout_ms: 300", /did not end within 300 ms/, /so far/],
    ['command: [/does/not/exist]', /could not be started/, ''],
  ];
  for (const [check, how, output] of cases) {
    const failure = await ask(check);
    assert.match(failure?.how ?? '', how instanceof RegExp ? how : new RegExp(`^${how}$`), check);
    assert.match(failure?.output ?? '', output instanceof RegExp ? output : new RegExp(`^${output}$`), check);
  }
});

test('a unit passes while it is active, and otherwise says its state and what it wrote', async (t) => {
  await programsOnPath(t, {
    systemctl: `${likeInChroot}; for unit; do :; done
      case "$1 $unit" in
        "show good.service") printf 'LoadState=loaded\\nActiveState=active\\nNRestarts=7\\n';;
        "show some.target") printf 'LoadState=loaded\\nActiveState=active\\n';;
        "show gone.service") printf 'LoadState=not-found\\nActiveState=inactive\\n';;
        "show "*) printf 'LoadState=loaded\\nActiveState=activating\\nNRestarts=0\\n';;
      esac`,
    journalctl: 'case "$*" in *camera.service*) echo "no sensor";; esac',
  });
  assert.equal(await ask('unit: good.service'), undefined);
  assert.equal(await ask('unit: some.target'), undefined);
  assert.deepEqual(await ask('unit: gone.service'), { how: 'does not exist', output: '' });
  assert.deepEqual(await ask('unit: camera.service'), { how: 'is activating', output: 'no sensor' });
});

test('a unit that is active again after a crash has failed, once for each time it is asked', async (t) => {
  const folder = await scratchDirectory(t);
  await programsOnPath(t, {
    systemctl: `${likeInChroot}; printf 'LoadState=loaded\\nActiveState=active\\n'; cat '${folder}/restarts'`,
    journalctl: 'echo "no sensor"',
  });
  const restarts = (count: number) => writeFile(join(folder, 'restarts'), `NRestarts=${count}\n`);
  const probe = probeOf('unit: camera.service');
  // Before it is asked for the first time it may have come up with difficulty.
  await restarts(2);
  assert.equal(await probe.ask(never), undefined);
  assert.equal(await probe.ask(never), undefined);
  await restarts(3);
  assert.deepEqual(await probe.ask(never), {
    how: 'was restarted, because it had ended',
    output: 'no sensor',
  });
  assert.equal(await probe.ask(never), undefined);
  // Started anew by hand.
  await restarts(0);
  assert.equal(await probe.ask(never), undefined);
});

test('a unit cannot be asked for where there is no systemd', async (t) => {
  await programsOnPath(t, { systemctl: 'echo "System has not been booted with systemd" >&2; exit 1' });
  const failure = await ask('unit: good.service');
  assert.deepEqual(failure, {
    how: 'could not be asked for',
    output: 'System has not been booted with systemd',
  });
});

const networkLine = /^this machine(?: has no network address$|'s addresses: )/;

test('a TCP address passes when it takes a connection', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => server.close());
  assert.equal(await ask(`tcp: '127.0.0.1:${port}'`), undefined);
  server.close();
  await once(server, 'close');
  assert.match(
    (await ask(`tcp: '127.0.0.1:${port}'`))?.how ?? '',
    /failed: connect ECONNREFUSED 127\.0\.0\.1/,
  );
  // Whether the fault is on this side of the network.
  assert.match((await ask(`tcp: '127.0.0.1:${port}'`))?.output ?? '', networkLine);
  assert.match((await ask('tcp: no.such.host.invalid:1'))?.how ?? '', /failed: .*no\.such\.host\.invalid/);
});

test('a URL passes with 2xx only, and whatever proxy is in the environment', async (t) => {
  process.env['http_proxy'] = 'http://127.0.0.1:1';
  t.after(() => delete process.env['http_proxy']);
  let status = 204;
  const url = await httpServer(t, (response) =>
    response.writeHead(status, { location: '/' }).end(status === 204 ? '' : 'camera is down'),
  );
  assert.equal(await ask(`http: '${url}'`), undefined);
  for (status of [302, 404, 503]) {
    const failure = await ask(`http: '${url}'`);
    assert.deepEqual(failure, { how: `answered with status ${status}`, output: 'camera is down' });
  }
});

test('an answer whose body never ends passes by its status, or fails with what came', async (t) => {
  let status = 200;
  const url = await httpServer(t, (response) => response.writeHead(status).write('x'.repeat(10_000)));
  assert.equal(await ask(`http: '${url}'`), undefined);
  status = 500;
  assert.equal((await ask(`http: '${url}'`))?.output.length, 4096);
});

test('a server that does not answer has failed when the time is over', async (t) => {
  const url = await httpServer(t, () => {});
  const failure = await ask(`http: '${url}', timeout_ms: 200`);
  assert.equal(failure?.how, 'did not answer within 200 ms');
  assert.match(failure?.output ?? '', networkLine);
});

test('a gRPC service is asked for by its name', async () => {
  const failure = await ask("grpc: '[::1]:50052', service: vehicle.Camera");
  assert.equal(failure?.how, 'asked [::1]:50052 for vehicle.Camera');
});

test('an abort is no failure of the probe', async (t) => {
  const url = await httpServer(t, () => {});
  for (const check of [`http: '${url}'`, "command: [sleep, '60']"]) {
    const controller = new AbortController();
    const asking = ask(check, controller.signal);
    setImmediate(() => controller.abort());
    await assert.rejects(asking, { name: 'AbortError' }, check);
  }
});

test('a condition over signals is judged by whoever knows signals, with the age that it allows', async () => {
  assert.equal(
    (await ask('signal: not Vehicle.IsMoving'))?.how,
    'judged not Vehicle.IsMoving by values of 10000 ms',
  );
  assert.equal(
    (await ask('signal: empty(Vehicle.Codes), max_age_ms: 500'))?.how,
    'judged empty(Vehicle.Codes) by values of 500 ms',
  );
  const wrong = parseOptions('health_checks: [{ name: a, signal: Vehicle.A > }]', 'ota.yml', {});
  assert.match(
    wrong.problem?.message ?? '',
    /health_checks\[0\]\.signal .*correct the condition: at character/,
  );
  const alone = parseOptions('health_checks: [{ name: a, unit: a.service, max_age_ms: 5 }]', 'ota.yml', {});
  assert.match(alone.problem?.message ?? '', /max_age_ms is 5; leave it out, or write signal beside it/);
});
