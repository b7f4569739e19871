import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { HealthService } from '#api/health-service.ts';

type Message = Readonly<Record<string, unknown>>;

/** The service, and a client of the usual package's making. */
async function serve(t: TestContext) {
  const health = new HealthService(['vehicle.Camera']);
  const server = new Server();
  health.addTo(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  const method = (name: string) => {
    const found = service[name];
    assert.ok(found !== undefined);
    return found;
  };
  return {
    health,
    unary: (name: string, request: Message): Promise<Message> => {
      const { path, requestSerialize, responseDeserialize } = method(name);
      const { promise, resolve, reject } = Promise.withResolvers<Message>();
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
        if (error === null) resolve(answer as Message);
        else reject(error);
      });
      return promise;
    },
    watch: (name: string) => {
      const { path, requestSerialize, responseDeserialize } = method('Watch');
      const request = { service: name };
      return client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
      );
    },
  };
}

test('a service is SERVING until the server goes down; one that nobody knows is not found', async (t) => {
  const { health, unary } = await serve(t);
  assert.deepEqual(await unary('Check', { service: '' }), { status: 'SERVING' });
  assert.deepEqual(await unary('Check', { service: 'vehicle.Camera' }), { status: 'SERVING' });
  await assert.rejects(unary('Check', { service: 'no.Such' }), { code: 5 });
  health.stop();
  assert.deepEqual(await unary('Check', { service: 'vehicle.Camera' }), { status: 'NOT_SERVING' });
});

test('all services are listed', async (t) => {
  const { unary } = await serve(t);
  assert.deepEqual(await unary('List', {}), {
    statuses: { '': { status: 'SERVING' }, 'vehicle.Camera': { status: 'SERVING' } },
  });
});

test('who watches is told at once, and when the server goes down', async (t) => {
  const { health, watch } = await serve(t);
  const stream = watch('vehicle.Camera');
  const [first] = await once(stream, 'data');
  assert.deepEqual(first, { status: 'SERVING' });
  const next = once(stream, 'data');
  health.stop();
  assert.deepEqual(await next, [{ status: 'NOT_SERVING' }]);
  stream.on('error', () => {}).cancel();
});

test('who watches a service that nobody knows is told so, and not cut off', async (t) => {
  const { watch } = await serve(t);
  const stream = watch('no.Such').on('error', () => {});
  assert.deepEqual(await once(stream, 'data'), [{ status: 'SERVICE_UNKNOWN' }]);
  assert.equal(stream.readableEnded, false);
  stream.cancel();
});
