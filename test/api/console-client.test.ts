import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import type { ConsoleAddress } from '#api/console-client.ts';
import { ConsoleClient } from '#api/console-client.ts';
import { ConsoleError } from '#api/console-error.ts';
import { makeCertificate } from '#image/build/certificate.ts';
import { consolePeer } from '../support/console-peer.ts';
import { freePort } from '../support/free-port.ts';

const call = { signal: new AbortController().signal, budgetMs: 20_000 };
const token = 'a-token-for-tests';

function client(t: TestContext, address: ConsoleAddress): ConsoleClient {
  const made = new ConsoleClient(address);
  t.after(() => made[Symbol.dispose]());
  return made;
}

async function failure(work: Promise<unknown>): Promise<ConsoleError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ConsoleError, String(error));
    assert.ok(!error.message.includes(token), 'no message tells the token');
    return error;
  }
  return assert.fail('it did not fail');
}

test('a token opens the console; without one and with another it says where tokens come from', async (t) => {
  const peer = await consolePeer(t, { getCaller: () => ({ name: 'local', role: 2 }) }, { token });
  const { url } = peer;
  const caller = await client(t, { url, token }).ask('getCaller', {}, call);
  assert.equal(caller.name, 'local');
  const none = await failure(client(t, { url }).ask('getCaller', {}, call));
  assert.equal(none.code, 'unauthenticated');
  assert.match(none.message, /wants a token, and there is none; .*local-token.*console\.tokens_file/);
  const other = await failure(client(t, { url, token: `${token}2` }).ask('getCaller', {}, call));
  assert.match(other.message, /does not know this token: it may be of an earlier start/);
  assert.ok(other.isRefusedEntry && !other.isPassing);
});

test('codes of the console become words', async (t) => {
  const expected = [
    [Code.PermissionDenied, 'denied', /does not allow GetCaller: bang .*use the token of an operator/],
    [Code.Unavailable, 'starting', /is starting or ending/],
    [Code.ResourceExhausted, 'busy', /too much to do/],
    [Code.FailedPrecondition, 'precondition', /^bang/],
    [Code.NotFound, 'not_found', /^bang/],
    [Code.OutOfRange, 'gone', /^bang/],
    [Code.InvalidArgument, 'invalid', /^GetCaller at .*bang/],
    [Code.Unimplemented, 'unsupported', /has no GetCaller/],
    [Code.Internal, 'refused', /GetCaller failed at .*: Internal: bang/],
  ] as const;
  for (const [code, word, message] of expected) {
    const peer = await consolePeer(t, {
      getCaller: () => {
        throw new ConnectError('bang\u001b[2J', code);
      },
    });
    const error = await failure(client(t, { url: peer.url }).ask('getCaller', {}, call));
    assert.equal(error.code, word);
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\u001b'), 'what peers say cannot move the cursor');
  }
});

test('nothing there, something else there, and one that never answers are told apart', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const nobody = await failure(client(t, { url }).ask('getVehicle', {}, call));
  assert.equal(nobody.code, 'unreachable');
  assert.match(nobody.message, /no console answers at .*; is the daemon running .*console\.enabled/);
  const server = http.createServer((_, response) => {
    response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>no</h1>');
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const other = await failure(client(t, { url: `http://127.0.0.1:${port}` }).ask('getVehicle', {}, call));
  assert.equal(other.code, 'unsupported');
  const silent = await consolePeer(t, { getVehicle: () => new Promise(() => {}) });
  const late = await failure(
    client(t, { url: silent.url }).ask('getVehicle', {}, { ...call, budgetMs: 200 }),
  );
  assert.deepEqual([late.code, late.isPassing], ['timeout', true]);
  const controller = new AbortController();
  const stopped = failure(
    client(t, { url: silent.url }).ask('getVehicle', {}, { ...call, signal: controller.signal }),
  );
  controller.abort();
  assert.equal((await stopped).code, 'cancelled');
});

test('a stream goes on until the console ends it, or its caller does', async (t) => {
  const peer = await consolePeer(t, {
    async *watchEvents({ afterSequence }, { signal }) {
      yield { events: [{ sequence: afterSequence + 1n, text: 'first' }] };
      if (afterSequence > 0n) return;
      await once(signal, 'abort');
    },
  });
  const console = client(t, { url: peer.url });
  const seen: string[] = [];
  for await (const { events } of console.watch('watchEvents', { afterSequence: 7n }, call.signal)) {
    seen.push(...events.map(({ sequence, text }) => `${sequence} ${text}`));
  }
  assert.deepEqual(seen, ['8 first']);
  const controller = new AbortController();
  const error = await failure(
    (async () => {
      for await (const _ of console.watch('watchEvents', {}, controller.signal)) controller.abort();
    })(),
  );
  assert.equal(error.code, 'cancelled');
  const broken = await failure(
    (async () => {
      for await (const _ of console.watch('watchEvents', {}, call.signal)) await peer.stop();
    })(),
  );
  assert.deepEqual([broken.code, broken.isPassing], ['unreachable', true], broken.message);
});

test('a certificate that nobody vouches for is refused, with what to do', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = { commonName: 'console' };
  const cert = makeCertificate({
    subject,
    issuer: subject,
    publicKey: privateKey,
    signerKey: privateKey,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    isCa: true,
  });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const peer = await consolePeer(t, { getCaller: () => ({ name: 'x' }) }, { tls: { key, cert } });
  const error = await failure(client(t, { url: peer.url }).ask('getCaller', {}, call));
  assert.equal(error.code, 'insecure');
  assert.match(error.message, /is not trusted \(.*\); name the certificate of its authority with --ca-file/);
  const plain = await failure(
    client(t, { url: peer.url.replace('https', 'http') }).ask('getCaller', {}, call),
  );
  assert.equal(plain.isPassing, true);
});
