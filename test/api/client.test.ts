import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { OtaClient } from '#api/client.ts';
import type { OtaClientErrorCode } from '#api/client-error.ts';
import { OtaClientError } from '#api/client-error.ts';
import { StatusOta } from '#gen/otaclient_v2_pb.ts';
import type { Script } from '../support/scripted-peer.ts';
import { notReady, scriptedPeer } from '../support/scripted-peer.ts';

const call = { signal: new AbortController().signal, budgetMs: 3000 };
const loopback = (port: number): OtaClient => new OtaClient({ host: '127.0.0.1', port });

/** Asserts that `work` rejects with an OtaClientError of this code; answers its message. */
async function failsWith(code: OtaClientErrorCode, work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof OtaClientError, `expected ${code}, not ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error.message;
}

test('an answer becomes a report in the words of the domain', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({ availableEcuIds: ['a'], ecuV2: [{ ecuId: 'a', otaStatus: StatusOta.ABORTED }] }),
  });
  using client = loopback(peer.port);
  const report = await client.status(call);
  assert.deepEqual(report.availableEcuIds, ['a']);
  assert.equal(report.ecus[0]?.status, 'ABORTED');
});

test('what a peer answers instead is told apart by code', async (t) => {
  const cases: [Script, OtaClientErrorCode, RegExp][] = [
    [{ status: () => notReady }, 'starting', /is still starting: own status/],
    [{ abort: () => ({}) }, 'unsupported', /does not support Status/],
    [{ status: () => ({ code: status.INTERNAL, details: 'a\nb' }) }, 'refused', /INTERNAL: a b$/],
    [
      { status: () => ({ code: status.PERMISSION_DENIED, details: 'no' }) },
      'refused',
      /PERMISSION_DENIED: no$/,
    ],
  ];
  for (const [script, code, message] of cases) {
    const peer = await scriptedPeer(t, script);
    using client = loopback(peer.port);
    assert.match(await failsWith(code, client.status(call)), message);
  }
});

test('a peer that is there and says nothing is a timeout; a machine that is not there is unreachable', async (t) => {
  const peer = await scriptedPeer(t, { status: () => 'silence' });
  using client = loopback(peer.port);
  const message = await failsWith('timeout', client.status({ ...call, budgetMs: 300 }));
  assert.match(message, /did not answer Status within 0\.3 s/);
  // Takes the connection and never speaks HTTP/2: as far as gRPC goes nobody is there.
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
  const address = mute.address();
  assert.ok(typeof address === 'object' && address !== null);
  using other = loopback(address.port);
  await failsWith('unreachable', other.status({ ...call, budgetMs: 300 }));
});

test('a daemon that comes back is found by the very next call', async (t) => {
  const script: Script = { status: () => ({}) };
  const first = await scriptedPeer(t, script);
  using client = loopback(first.port);
  await client.status(call);
  first.stop();
  for (let attempt = 0; attempt < 5; attempt += 1) await failsWith('unreachable', client.status(call));
  await scriptedPeer(t, script, first.port);
  await client.status(call);
});

test('an aborted signal ends the call at once', async (t) => {
  const controller = new AbortController();
  const peer = await scriptedPeer(t, {
    status: () => {
      controller.abort();
      return 'silence';
    },
  });
  using client = loopback(peer.port);
  await failsWith('cancelled', client.status({ signal: controller.signal, budgetMs: 60_000 }));
  await failsWith('cancelled', client.status({ signal: controller.signal, budgetMs: 60_000 }));
});

test('an answer larger than 4 MiB is refused', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({ ecuV2: [{ ecuId: 'a', failureReason: 'x'.repeat(5 * 1024 * 1024) }] }),
  });
  using client = loopback(peer.port);
  assert.match(await failsWith('refused', client.status(call)), /RESOURCE_EXHAUSTED/);
});
