import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { digestOfToken } from '#api/console/token-digest.ts';
import { ConsoleService, type WatchVehicleResponse } from '#gen/ota/console/v1/console_pb.ts';
import { type Ecu, OtaState, Reachability, Role } from '#gen/ota/console/v1/types_pb.ts';
import { ecuStatus, updateProgress } from '../../support/ecu-status.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { asOperator, servedConsole, transports, withToken } from '../../support/served-console.ts';

function clientOf(url: string) {
  return createClient(ConsoleService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }));
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

async function postJson(url: string, method: string, headers: Record<string, string> = {}) {
  return fetch(`${url}/ota.console.v1.ConsoleService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{}',
  });
}

describe('the console', () => {
  for (const [name, transport] of Object.entries(transports)) {
    it(`tells who calls, the vehicle, and its changes over ${name}`, async (t) => {
      const { url, local, store } = await servedConsole(t);
      const client = createClient(ConsoleService, transport(url));
      const caller = await client.getCaller({}, asOperator);
      assert.deepEqual([caller.name, caller.role], ['local', Role.OPERATOR]);

      store.take('child', { ecus: [ecuStatus('child', { firmwareVersion: '7' })] }, 0);
      const { vehicle, revision } = await client.getVehicle({}, asOperator);
      assert.equal(vehicle?.vehicleId, 'car');
      assert.deepEqual(
        vehicle?.ecus.map(({ ecuId, parentEcuId }) => [ecuId, parentEcuId]),
        [
          ['main', ''],
          ['child', 'main'],
        ],
      );
      assert.ok(revision);

      const stop = new AbortController();
      const changes = client.watchVehicle({}, { ...asOperator, signal: stop.signal })[Symbol.asyncIterator]();
      const first = (await changes.next()).value?.content;
      assert.equal(first?.case, 'snapshot');
      local.become({ status: 'UPDATING', progress: updateProgress({ totalBytes: 100 }) });
      const main = await changeOf(changes, 'main', ({ state }) => state === OtaState.UPDATING);
      assert.equal(main.progress?.targetVersion, '2.0');
      stop.abort();
    });
  }

  it('answers what HTTP/1.1 asks with JSON, and a fallback for no RPC', async (t) => {
    const { url } = await servedConsole(t, {
      parts: { page: (_request, response) => void response.end('the page') },
    });
    const answer = await postJson(url, 'GetCaller', asOperator.headers);
    assert.deepEqual(await answer.json(), { name: 'local', role: 'ROLE_OPERATOR' });
    assert.equal((await postJson(url, 'Nothing', asOperator.headers)).status, 404);
    assert.equal((await fetch(`${url}/other.v1.Service/Method`)).status, 404);
    assert.equal(await (await fetch(`${url}/anything`)).text(), 'the page');
  });
});

describe('who comes into the console', () => {
  it('is nobody without a token, or with an unknown one', async (t) => {
    const { url } = await servedConsole(t);
    const client = clientOf(url);
    assert.equal(await codeOf(client.getVehicle({})), Code.Unauthenticated);
    assert.equal(await codeOf(client.getVehicle({}, withToken('wrong'))), Code.Unauthenticated);
    const basic = { headers: { authorization: 'Basic dXNlcjpwYXNz' } };
    assert.equal(await codeOf(client.getVehicle({}, basic)), Code.Unauthenticated);
    const watch = client.watchVehicle({})[Symbol.asyncIterator]();
    assert.equal(await codeOf(watch.next()), Code.Unauthenticated);
  });

  it('has the role that the tokens file gives, as soon as it is changed', async (t) => {
    const file = await tokensFile(t, [['anna', 'viewer', 'token-of-anna']]);
    const { url, log } = await servedConsole(t, { options: { tokensFile: file.path } });
    const client = clientOf(url);
    const anna = withToken('token-of-anna');
    assert.equal((await client.getCaller({}, anna)).role, Role.VIEWER);
    assert.equal(await codeOf(client.startUpdate({}, anna)), Code.PermissionDenied);
    assert.equal(await codeOf(client.startRollback({}, anna)), Code.PermissionDenied);
    assert.equal(await codeOf(client.abort({}, anna)), Code.PermissionDenied);

    await file.write([['anna', 'operator', 'token-of-anna']]);
    await until(async () => (await client.getCaller({}, anna)).role === Role.OPERATOR);
    await writeFile(file.path, 'tokens: [{ name: anna, role: king }]\n');
    await until(async () => (await codeOf(client.getCaller({}, anna))) === Code.Unauthenticated);
    assert.match(JSON.stringify(log.lines), /tokens\[0\]\.role.*write one of viewer, operator, metrics/);
    assert.doesNotMatch(JSON.stringify(log.lines), /token-of-anna/);
  });

  it('has to wait after many failed attempts, except with the token of this machine', async (t) => {
    const file = await tokensFile(t, [['anna', 'viewer', 'token-of-anna']]);
    const { url } = await servedConsole(t, { options: { tokensFile: file.path } });
    const client = clientOf(url);
    for (let guess = 0; guess < 10; guess++) {
      assert.equal(await codeOf(client.getCaller({}, withToken(`guess-${guess}`))), Code.Unauthenticated);
    }
    assert.equal(await codeOf(client.getCaller({}, withToken('guess'))), Code.ResourceExhausted);
    const right = client.getCaller({}, withToken('token-of-anna'));
    assert.equal(await codeOf(right), Code.ResourceExhausted, 'a right guess is not told');
    assert.equal((await client.getCaller({}, asOperator)).name, 'local');
  });

  it('is no page of another name or origin', async (t) => {
    const { url } = await servedConsole(t, { options: { origins: ['https://fleet.example'] } });
    const { port } = new URL(url);
    const from = (origin: string) => postJson(url, 'GetCaller', { ...asOperator.headers, origin });
    assert.equal((await from('http://evil.example')).status, 403);
    assert.equal((await from('null')).status, 403);
    assert.equal((await from(`http://127.0.0.1:${port}`)).status, 200);
    const allowed = await from('https://fleet.example');
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://fleet.example');
    const preflight = await fetch(`${url}/ota.console.v1.ConsoleService/GetCaller`, {
      method: 'OPTIONS',
      headers: { origin: 'https://fleet.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.status, 204);
    assert.match(String(preflight.headers.get('access-control-allow-headers')), /authorization.*x-grpc-web/);
  });
});

describe('the vehicle on the console', () => {
  it('shows who fell silent, who was never seen, and tells when that changes', async (t) => {
    let now = 0;
    const { url, store } = await servedConsole(t, { store: { now: () => now } });
    const client = clientOf(url);
    const child = async () => (await client.getVehicle({}, asOperator)).vehicle?.ecus[1];
    assert.equal((await child())?.reachability, Reachability.NEVER_SEEN);
    store.take('child', { ecus: [ecuStatus('child')] }, 0);
    await until(async () => (await child())?.reachability === Reachability.REACHABLE);
    assert.ok((await child())?.lastSeenTime);
    store.miss('child');
    now = 10_000;
    store.miss('child');
    await until(async () => (await child())?.reachability === Reachability.SILENT);
    assert.equal((await child())?.firmwareVersion, '1.0');
  });

  it('is resumed from a revision with what has changed since, or anew when that is of another life', async (t) => {
    const { url, store, local } = await servedConsole(t);
    const client = clientOf(url);
    const { revision } = await client.getVehicle({}, asOperator);
    assert.ok(revision);
    local.become({ status: 'FAILURE' });
    store.take('child', { ecus: [ecuStatus('child')] }, 0);
    await until(async () => (await client.getVehicle({}, asOperator)).revision?.number !== revision.number);
    const first = async (after: typeof revision) => {
      const watch = client.watchVehicle({ after }, asOperator)[Symbol.asyncIterator]();
      const { value } = await watch.next();
      await watch.return?.();
      return value?.content;
    };
    assert.equal((await first(revision))?.case, 'change');
    assert.equal((await first({ ...revision, epoch: 'of another life' }))?.case, 'snapshot');
    assert.equal((await first({ ...revision, number: 10n ** 9n }))?.case, 'snapshot');
  });

  it('gives a sign of life when nothing happens', async (t) => {
    const { url } = await servedConsole(t, { options: { heartbeatMs: 100 } });
    const watch = clientOf(url).watchVehicle({}, asOperator)[Symbol.asyncIterator]();
    assert.equal((await watch.next()).value?.content.case, 'snapshot');
    assert.equal((await watch.next()).value?.content.case, 'heartbeat');
    await watch.return?.();
  });
});

/** Reads on until an ECU has changed to what is wanted. */
async function changeOf(
  changes: AsyncIterator<WatchVehicleResponse>,
  ecuId: string,
  fits: (ecu: Ecu) => boolean,
): Promise<Ecu> {
  for (;;) {
    const next = await changes.next();
    assert.ok(!next.done, 'the stream goes on');
    const { content } = next.value;
    if (content.case !== 'change') continue;
    const ecu = content.value.ecus.find((one) => one.ecuId === ecuId);
    if (ecu !== undefined && fits(ecu)) return ecu;
  }
}

async function tokensFile(t: TestContext, entries: readonly (readonly [string, string, string])[]) {
  const path = join(await scratchDirectory(t), 'tokens.yml');
  const write = async (all: typeof entries) => {
    const lines = all.map(
      ([name, role, token]) => `- ${JSON.stringify({ name, role, sha256: digestOfToken(token) })}`,
    );
    await writeFile(path, `tokens:\n${lines.join('\n')}\n`);
  };
  await write(entries);
  return { path, write };
}

/** Asks again until it is so; fails after 20 seconds. */
async function until(test: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await test())) {
    if (performance.now() > end) throw new Error('it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
