import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { brokerAccess } from '#api/kuksa/broker-access.ts';
import { BrokerError, type BrokerUpdate } from '#diagnostics/sources/vss-broker.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { issue, makeRoot } from '../../support/signing-chain.ts';
import { VssBrokerProcess } from '../../support/vss-broker.ts';

const proto = join(import.meta.dirname, '../../../proto');
const never = new AbortController().signal;

/** The service by an implementation of protobuf that shares nothing with ours. */
function foreignService(): ServiceClientConstructor {
  const definition = loadSync('kuksa/val/v2/val.proto', {
    includeDirs: [proto],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: false,
    oneofs: true,
  });
  let at: unknown = loadPackageDefinition(definition);
  for (const part of ['kuksa', 'val', 'v2', 'VAL']) at = (at as GrpcObject)[part];
  return at as ServiceClientConstructor;
}

type Plain = Readonly<Record<string, unknown>>;

async function foreignBroker(
  t: TestContext,
  answers: Readonly<Record<string, (request: Plain) => Plain>>,
  messages: readonly Plain[],
): Promise<string> {
  const server = new Server();
  server.addService(foreignService().service, {
    ...Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [
        name,
        (call: { request: Plain }, done: (error: null, value: Plain) => void) =>
          done(null, answer(call.request)),
      ]),
    ),
    Subscribe: (call: ServerWritableStream<Plain, Plain>) => {
      for (const message of messages) call.write(message);
      call.end();
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  t.after(() => server.forceShutdown());
  return `127.0.0.1:${await promise}`;
}

describe('the client of a databroker', () => {
  it('understands one of another implementation', async (t) => {
    const asked: Plain[] = [];
    const address = await foreignBroker(
      t,
      {
        GetServerInfo: () => ({ name: 'databroker', version: '0.6.1' }),
        ListMetadata: (request) => {
          asked.push(request);
          return {
            metadata: [
              {
                path: 'Vehicle.Big',
                id: 7,
                data_type: 'DATA_TYPE_INT64',
                entry_type: 'ENTRY_TYPE_SENSOR',
                unit: 'm',
              },
              {
                path: 'Vehicle.List',
                id: 8,
                data_type: 'DATA_TYPE_UINT64_ARRAY',
                entry_type: 'ENTRY_TYPE_SENSOR',
              },
              {
                path: 'Vehicle.When',
                id: 9,
                data_type: 'DATA_TYPE_TIMESTAMP',
                entry_type: 'ENTRY_TYPE_SENSOR',
              },
            ],
          };
        },
        PublishValue: (request) => {
          asked.push(request);
          return {};
        },
      },
      [
        {
          entries: {
            'Vehicle.Big': {
              timestamp: { seconds: '5', nanos: 7000 },
              value: { int64: '-9223372036854775808' },
            },
            'Vehicle.List': {},
          },
        },
        {
          entries: { 'Vehicle.List': { value: { uint64_array: { values: ['18446744073709551615', '0'] } } } },
        },
      ],
    );
    using broker = await brokerAccess({ address, tls: false }).connect();
    assert.equal(await broker.info(never), 'databroker 0.6.1');
    const catalog = await broker.catalog(['Vehicle.Big', 'Vehicle.List'], never);
    assert.deepEqual(catalog, [
      { path: 'Vehicle.Big', datatype: 'int64', unit: 'm' },
      { path: 'Vehicle.List', datatype: 'uint64[]', unit: '' },
      { path: 'Vehicle.When', datatype: undefined, unit: '' },
    ]);
    const updates: BrokerUpdate[] = [];
    const datatypes = new Map([
      ['Vehicle.Big', 'int64'],
      ['Vehicle.List', 'uint64[]'],
    ] as const);
    for await (const some of broker.subscribe(datatypes, never)) updates.push(...some);
    assert.deepEqual(updates, [
      { path: 'Vehicle.Big', reading: { kind: 'value', value: -9223372036854775808n, ts: 5_000_007n } },
      { path: 'Vehicle.List', reading: { kind: 'absent' } },
      { path: 'Vehicle.List', reading: { kind: 'value', value: [18446744073709551615n, 0n], ts: undefined } },
    ]);
    await broker.publish('Vehicle.Big', 'int64', 9007199254740993n, never);
    assert.deepEqual(asked, [
      { root: 'Vehicle' },
      {
        signal_id: { path: 'Vehicle.Big', signal: 'path' },
        data_point: { value: { int64: '9007199254740993', typed_value: 'int64' } },
      },
    ]);
  });

  it('is told by name what failed', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    using client = await brokerAccess({ address: broker.address, tls: false }).connect();
    const failsWith = async (code: string, message: RegExp, call: () => Promise<unknown>): Promise<void> => {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof BrokerError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    };
    await failsWith('unknown_signal', /PublishValue: .*NOT_FOUND/, async () =>
      client.publish('Vehicle.No', 'float', 1, never),
    );
    await failsWith('refused', /minimum|maximum/, async () =>
      client.publish('Vehicle.Powertrain.TractionBattery.StateOfCharge.Current', 'float', 101, never),
    );
    await failsWith('refused', /no int8/, async () => client.publish('Vehicle.Speed', 'int8', 1000, never));
    for (const [rpc, ours] of [
      ['UNAVAILABLE', 'unreachable'],
      ['RESOURCE_EXHAUSTED', 'unreachable'],
      ['INTERNAL', 'unreachable'],
      ['UNAUTHENTICATED', 'unauthenticated'],
      ['PERMISSION_DENIED', 'denied'],
      ['UNIMPLEMENTED', 'unsupported'],
      ['INVALID_ARGUMENT', 'refused'],
    ] as const) {
      await broker.tell({ do: 'fail', rpc: 'GetServerInfo', code: rpc });
      await failsWith(ours, /GetServerInfo/, async () => client.info(never));
    }
  });

  it('trusts the authorities of its file and the name that it is told', async (t) => {
    const directory = await scratchDirectory(t);
    const root = makeRoot('Databroker root');
    const server = issue(root, 'databroker.vehicle');
    const caFile = join(directory, 'ca.pem');
    await writeFile(caFile, root.pem);
    await writeFile(join(directory, 'cert.pem'), server.pem);
    await writeFile(
      join(directory, 'key.pem'),
      server.key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    );
    const { address } = await VssBrokerProcess.start(t, [
      '--tls-cert',
      join(directory, 'cert.pem'),
      '--tls-private-key',
      join(directory, 'key.pem'),
    ]);
    const info = async (access: object): Promise<string> => {
      using broker = await brokerAccess({ address, tls: true, ...access }).connect();
      return await broker.info(never);
    };
    assert.match(await info({ caFile, serverName: 'databroker.vehicle' }), /vss-broker/);
    const fails = async (access: object, message: RegExp): Promise<void> => {
      await assert.rejects(
        info(access),
        (error) => error instanceof BrokerError && message.test(error.message),
      );
    };
    await fails({ caFile }, /no answer .*(altname|certificate)/i);
    await fails({ serverName: 'databroker.vehicle' }, /no answer .*(certificate|issuer)/i);
    await fails({ tls: false }, /no answer/);
    await fails({ caFile: join(directory, 'key.pem') }, /ca_file: .* holds no PEM certificate/);
    await fails({ caFile: '/nonexistent' }, /ca_file: \/nonexistent does not exist/);
  });
});

describe('our own broker', () => {
  it('is understood by a client of another implementation', async (t) => {
    const broker = await VssBrokerProcess.start(t);
    const client = new (foreignService())(broker.address, credentials.createInsecure());
    t.after(() => client.close());
    const ask = async (method: string, request: Plain): Promise<Plain> => {
      const { promise, resolve, reject } = Promise.withResolvers<Plain>();
      (client[method] as (request: Plain, done: (error: Error | null, answer: Plain) => void) => void).call(
        client,
        request,
        (error, answer) => {
          if (error === null) resolve(answer);
          else reject(error);
        },
      );
      return promise;
    };
    const path = 'Vehicle.TraveledDistance';
    assert.deepEqual(await ask('GetServerInfo', {}), { name: 'vss-broker', version: '0.1.0' });
    const { metadata } = (await ask('ListMetadata', { root: path })) as { metadata: Plain[] };
    assert.deepEqual(
      metadata.map(({ path: own, data_type, entry_type, unit }) => [own, data_type, entry_type, unit]),
      [[path, 'DATA_TYPE_UINT32', 'ENTRY_TYPE_SENSOR', 'm']],
    );
    await ask('PublishValue', { signal_id: { path }, data_point: { value: { uint32: 4294967295 } } });
    const { data_point } = (await ask('GetValue', { signal_id: { id: metadata[0]?.['id'] } })) as {
      data_point: { value: Plain };
    };
    assert.deepEqual(data_point.value, { uint32: 4294967295, typed_value: 'uint32' });
    await assert.rejects(
      ask('PublishValue', { signal_id: { path }, data_point: { value: { int32: 1 } } }),
      /INVALID_ARGUMENT: it came as int32, not as uint32/,
    );
  });
});
