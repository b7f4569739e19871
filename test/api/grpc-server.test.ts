import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { type GrpcServerOptions, startGrpcServer } from '#api/grpc-server.ts';
import { ServerError } from '#api/server-error.ts';
import { authority } from '#domain/ecu.ts';
import type { IncomingCall, Vehicle } from '#ecu/ecu.ts';
import { StatusResponseSchema, UpdateRequestSchema, UpdateResponseSchema } from '#gen/otaclient_v2_pb.ts';
import { ecuStatus } from '../support/ecu-status.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { rawClient } from '../support/raw-client.ts';

/** A vehicle that answers nothing but what a test gives it. */
function vehicle(parts: Partial<Vehicle> = {}): Vehicle {
  const none = () => Promise.resolve([]);
  return {
    update: none,
    clientUpdate: none,
    rollback: none,
    abort: none,
    status: () => ({ availableEcuIds: ['main'], ecus: [ecuStatus('main')] }),
    ...parts,
  };
}

async function serve(t: TestContext, parts?: Partial<Vehicle>, options: Partial<GrpcServerOptions> = {}) {
  const log = new MemoryLog();
  const host = options.host ?? '127.0.0.1';
  const server = await startGrpcServer(vehicle(parts), {
    host,
    port: 0,
    ownId: 'main',
    log,
    stopLimitMs: 100,
    ...options,
  });
  t.after(() => server[Symbol.asyncDispose]());
  const address = authority({ host, port: server.port });
  return { server, log, address, client: rawClient(t, address) };
}

const request = toBinary(
  UpdateRequestSchema,
  create(UpdateRequestSchema, { ecu: [{ ecuId: 'main', version: '2' }], requestId: 'r1' }),
);

describe('the API server', () => {
  it('hands requests to the vehicle and its answers back', async (t) => {
    const { client } = await serve(t, {
      update: async ({ entries, requestId }) =>
        entries.map(({ ecuId, version }) => ({
          ecuId,
          result: 'RECOVERABLE',
          message: `${version} ${requestId}`,
        })),
    });
    const { code, bytes } = await client.call('Update', request);
    assert.equal(code, status.OK);
    const [entry] = fromBinary(UpdateResponseSchema, bytes).ecu;
    assert.deepEqual([entry?.ecuId, entry?.result, entry?.message], ['main', 1, '2 r1']);
  });

  it('answers Status with UNAVAILABLE until the own status is known', async (t) => {
    let isKnown = false;
    const report = { availableEcuIds: ['main'], ecus: [ecuStatus('main')] };
    const { client } = await serve(t, { status: () => (isKnown ? report : undefined) });
    const early = await client.call('Status');
    assert.equal(early.code, status.UNAVAILABLE);
    assert.match(early.details, /main/);
    isKnown = true;
    const { code, bytes } = await client.call('Status');
    assert.equal(code, status.OK);
    assert.equal(fromBinary(StatusResponseSchema, bytes).ecuV2[0]?.ecuId, 'main');
  });

  it('answers bytes that are no message with INVALID_ARGUMENT, for every method', async (t) => {
    const { client } = await serve(t);
    for (const method of ['Update', 'ClientUpdate', 'Rollback', 'Abort', 'Status']) {
      assert.equal((await client.call(method, Buffer.from('ffffff', 'hex'))).code, status.INVALID_ARGUMENT);
    }
  });

  it('refuses a request that names more ECUs than any vehicle has', async (t) => {
    const { client } = await serve(t);
    const ecu = Array.from({ length: 1025 }, (_, n) => ({ ecuId: `e${n}` }));
    const bytes = toBinary(UpdateRequestSchema, create(UpdateRequestSchema, { ecu }));
    assert.equal((await client.call('Update', bytes)).code, status.INVALID_ARGUMENT);
  });

  it('answers a message beyond its limit with RESOURCE_EXHAUSTED', async (t) => {
    const { client } = await serve(t);
    const end = await client.call('Update', Buffer.alloc(4 * 1024 * 1024 + 1));
    assert.equal(end.code, status.RESOURCE_EXHAUSTED);
  });

  it('answers a defect with INTERNAL, keeps its text to itself and logs it', async (t) => {
    const { client, log } = await serve(t, { abort: () => Promise.reject(new Error('secret inside')) });
    const { code, details } = await client.call('Abort');
    assert.equal(code, status.INTERNAL);
    assert.doesNotMatch(details, /secret/);
    assert.match(log.lines.join('\n'), /error Abort failed unexpectedly.*secret inside/);
  });

  it('tells the vehicle how much time the caller has, and stops it when the caller goes away', async (t) => {
    const calls: IncomingCall[] = [];
    const gone = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const { client } = await serve(t, {
      rollback: (_, call) => {
        calls.push(call);
        call.signal.addEventListener('abort', () => gone.resolve());
        arrived.resolve();
        return gone.promise.then(() => []);
      },
    });
    const leave = new AbortController();
    const ended = client.call('Rollback', Buffer.alloc(0), { deadlineMs: 4000, signal: leave.signal });
    await arrived.promise;
    leave.abort();
    await gone.promise;
    assert.equal((await ended).code, status.CANCELLED);
    const [call] = calls;
    assert.ok(call !== undefined && call.budgetMs > 3000 && call.budgetMs <= 4000);
  });

  it('gives a request without deadline the default budget', async (t) => {
    const budgets: number[] = [];
    const { client } = await serve(
      t,
      {
        abort: async (_, { budgetMs }) => {
          budgets.push(budgetMs);
          return [];
        },
      },
      { defaultBudgetMs: 7000 },
    );
    await client.call('Abort');
    assert.deepEqual(budgets, [7000]);
  });

  it('tells parents and agents apart', async (t) => {
    const callers: string[] = [];
    const { client, address } = await serve(t, {
      abort: async (_, { caller }) => {
        callers.push(caller);
        return [];
      },
    });
    await client.call('Abort', undefined, { deadlineMs: 6000 });
    await client.call('Abort', undefined, { metadata: { 'ota-parent': '1' } });
    // Existing daemons call their children so.
    const python = rawClient(t, address, { 'grpc.primary_user_agent': 'grpc-python-asyncio/1.53.2' });
    await python.call('Abort', undefined, { deadlineMs: 6000 });
    await python.call('Abort', undefined, { deadlineMs: 5000 });
    await python.call('Abort');
    assert.deepEqual(callers, ['agent', 'parent', 'maybe_parent', 'agent', 'agent']);
  });

  it('refuses more calls at once than one client may have, and takes them again later', async (t) => {
    const release = Promise.withResolvers<void>();
    const { client } = await serve(t, { abort: () => release.promise.then(() => []) }, { callsPerClient: 3 });
    const calls = Array.from({ length: 5 }, () => client.call('Abort'));
    const refused = await Promise.race(calls);
    assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
    release.resolve();
    const codes = (await Promise.all(calls)).map(({ code }) => code);
    assert.equal(codes.filter((code) => code === status.OK).length, 3);
    assert.equal(codes.filter((code) => code === status.RESOURCE_EXHAUSTED).length, 2);
    assert.equal((await client.call('Abort')).code, status.OK);
  });

  it('names an address that is in use', async (t) => {
    const { server } = await serve(t);
    const again = serve(t, {}, { port: server.port });
    await assert.rejects(again, (error) => error instanceof ServerError && error.code === 'address_in_use');
    await assert.rejects(again, { message: new RegExp(`127\\.0\\.0\\.1:${server.port} is in use`) });
  });

  it('names an address that is not of this machine', async (t) => {
    const foreign = serve(t, {}, { host: '192.0.2.1' });
    await assert.rejects(
      foreign,
      (error) => error instanceof ServerError && error.code === 'address_not_local',
    );
  });

  it('listens on IPv6', { skip: hasIpv6() ? false : 'this machine has no IPv6 loopback' }, async (t) => {
    const { client } = await serve(t, {}, { host: '::1' });
    assert.equal((await client.call('Status')).code, status.OK);
  });

  it('lets calls under way end when it stops, and takes no new ones', async (t) => {
    const release = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const { server, client } = await serve(
      t,
      {
        abort: () => {
          arrived.resolve();
          return release.promise.then(() => []);
        },
      },
      { stopLimitMs: 5000 },
    );
    const call = client.call('Abort');
    await arrived.promise;
    const stopped = server[Symbol.asyncDispose]();
    release.resolve();
    assert.equal((await call).code, status.OK);
    await stopped;
    const late = createServer();
    await new Promise<void>((resolve) => {
      late.listen(server.port, '127.0.0.1', resolve);
    });
    late.close();
  });

  it('cuts off what does not end within the limit', { timeout: 5000 }, async (t) => {
    const arrived = Promise.withResolvers<void>();
    const { server, client } = await serve(t, {
      abort: () => {
        arrived.resolve();
        return new Promise(() => {});
      },
    });
    const call = client.call('Abort');
    await arrived.promise;
    await server[Symbol.asyncDispose]();
    assert.notEqual((await call).code, status.OK);
  });
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
}
