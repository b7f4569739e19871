import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ecuStatus } from '../../support/ecu-status.ts';
import { asOperator, servedConsole } from '../../support/served-console.ts';

/** Answers as protobufjs decodes them, from the text of the contract and not from the code made of it. */
type Answer = Readonly<Record<string, unknown>>;
type Call = (
  request: object,
  metadata: Metadata,
  done: (error: ServiceError | null, answer?: Answer) => void,
) => void;
type Watch = (request: object, metadata: Metadata) => NodeJS.ReadableStream & { cancel(): void };

const proto = join(import.meta.dirname, '../../../proto');
const definition = loadSync('ota/console/v1/console.proto', {
  includeDirs: [proto],
  enums: String,
  longs: String,
});

interface ConsolePackage {
  readonly ota: { readonly console: { readonly v1: { readonly ConsoleService: ServiceClientConstructor } } };
}

function connect(t: TestContext, url: string): Record<string, unknown> {
  const { ota } = loadPackageDefinition(definition) as unknown as ConsolePackage;
  const client = new ota.console.v1.ConsoleService(new URL(url).host, credentials.createInsecure());
  t.after(() => client.close());
  return client;
}

function ask(client: Record<string, unknown>, method: string, metadata: Metadata, request: object = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  (client[method] as Call).call(client, request, metadata, (error, answer) => {
    if (error === null && answer !== undefined) resolve(answer);
    else reject(error ?? new Error('neither an answer nor an error'));
  });
  return promise;
}

function operator(): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', asOperator.headers.authorization);
  return metadata;
}

describe('the console, asked by grpc-js with nothing but the text of the contract', () => {
  it('answers, streams, and tells by status codes who may not', async (t) => {
    const { url, store } = await servedConsole(t);
    const client = connect(t, url);
    assert.deepEqual(await ask(client, 'GetCaller', operator()), { name: 'local', role: 'ROLE_OPERATOR' });
    store.take('child', { ecus: [ecuStatus('child', { firmwareVersion: '7' })] }, 0);

    const watch = (client['WatchVehicle'] as Watch).call(client, {}, operator());
    watch.on('error', () => {});
    const [first] = (await once(watch, 'data')) as [{ snapshot: { ecus: { ecuId: string }[] } }];
    watch.cancel();
    assert.deepEqual(
      first.snapshot.ecus.map(({ ecuId }) => ecuId),
      ['main', 'child'],
    );

    await assert.rejects(ask(client, 'GetVehicle', new Metadata()), { code: status.UNAUTHENTICATED });
    await assert.rejects(ask(client, 'StartUpdate', operator(), { targets: [{ ecuId: 'main' }] }), {
      code: status.INVALID_ARGUMENT,
    });
  });
});
