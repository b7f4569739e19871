import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { probeGrpcHealth } from '#api/grpc-health-probe.ts';
import { freePort } from '../support/free-port.ts';

const never = new AbortController().signal;

/** A server whose health service is the one that everybody uses. */
async function healthServer(t: TestContext, statuses: ConstructorParameters<typeof HealthImplementation>[0]) {
  const server = new Server();
  new HealthImplementation(statuses).addToServer(server);
  t.after(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return `127.0.0.1:${port}`;
}

/** Takes connections and says nothing. */
async function silentServer(t: TestContext): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a service passes that is SERVING, and no other', async (t) => {
  const address = await healthServer(t, { '': 'SERVING', 'vehicle.Camera': 'NOT_SERVING', 'a.B': 'UNKNOWN' });
  const ask = (service: string) => probeGrpcHealth({ address, service }, 5000, never);
  assert.equal(await ask(''), undefined);
  assert.deepEqual(await ask('vehicle.Camera'), { how: 'said NOT_SERVING', output: '' });
  assert.deepEqual(await ask('a.B'), { how: 'said UNKNOWN', output: '' });
  assert.equal((await ask('no.Such'))?.how, 'failed with NOT_FOUND');
});

test('a server without a health service has failed', async (t) => {
  const server = new Server();
  t.after(() => server.forceShutdown());
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), () => resolve());
  });
  const failure = await probeGrpcHealth({ address: `127.0.0.1:${port}`, service: '' }, 5000, never);
  assert.equal(failure?.how, 'failed with UNIMPLEMENTED');
});

test('nobody there, and nobody who answers', async (t) => {
  const refused = await probeGrpcHealth(
    { address: `127.0.0.1:${await freePort()}`, service: '' },
    2000,
    never,
  );
  assert.match(`${refused?.how} ${refused?.output}`, /^failed with UNAVAILABLE .*ECONNREFUSED/);
  assert.match(refused?.output ?? '', /\nthis machine/);
  const address = await silentServer(t);
  const failure = await probeGrpcHealth({ address, service: '' }, 200, never);
  assert.equal(failure?.how, 'did not answer within 200 ms');
});

test('an abort is no failure of the server', async (t) => {
  const controller = new AbortController();
  const address = await silentServer(t);
  const asking = probeGrpcHealth({ address, service: '' }, 5000, controller.signal);
  controller.abort();
  await assert.rejects(asking, { name: 'AbortError' });
});
