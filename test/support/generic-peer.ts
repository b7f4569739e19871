import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const root = join(import.meta.dirname, '..', '..');
const contract = join(root, 'proto/otaclient_v2.proto');

/** A message as the other protobuf implementation has it: fields by their names in the file, enums as numbers. */
export type Plain = { readonly [field: string]: unknown };

type Methods = Record<string, MethodDefinition<Plain, Plain>>;

/** The service of a .proto file, by an implementation of protobuf that shares nothing with ours. */
function serviceOf(file: string, name: string): ServiceDefinition {
  const definition = loadSync(file, { keepCase: true, longs: Number, enums: Number, defaults: false });
  let at: unknown = loadPackageDefinition(definition);
  for (const part of name.split('.')) at = (at as GrpcObject)[part];
  return (at as ServiceClientConstructor).service;
}

/** Calls unary methods of OtaClientService. */
export function genericClient(t: TestContext, address: string) {
  const methods = serviceOf(contract, 'OtaClientV2.OtaClientService') as Methods;
  return (method: string, request: Plain): Promise<Plain> => unary(t, address, methods, method, request);
}

/** Calls unary methods of a service whose .proto file a package brings with it. */
export function packagedClient(t: TestContext, address: string, file: string, service: string) {
  const methods = serviceOf(join(root, 'node_modules', file), service) as Methods;
  return {
    unary: (method: string, request: Plain): Promise<Plain> => unary(t, address, methods, method, request),
    /** One request on a stream in both directions, and its one answer. */
    exchange: (method: string, request: Plain): Promise<Plain> => {
      const { path, requestSerialize, responseDeserialize } = methodOf(methods, method);
      const stream = clientOf(t, address).makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const { promise, resolve, reject } = Promise.withResolvers<Plain>();
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.write(request);
      stream.end();
      return promise;
    },
  };
}

/** Serves the given unary methods of OtaClientService on loopback. */
export async function genericPeer(
  t: TestContext,
  answers: Readonly<Record<string, (request: Plain) => Plain>>,
): Promise<number> {
  const all = serviceOf(contract, 'OtaClientV2.OtaClientService');
  const server = new Server();
  server.addService(
    Object.fromEntries(Object.keys(answers).map((name) => [name, methodOf(all as Methods, name)])),
    Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [
        name,
        (call: { request: Plain }, callback: (error: null, value: Plain) => void) =>
          callback(null, answer(call.request)),
      ]),
    ),
  );
  t.after(() => server.forceShutdown());
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  return promise;
}

function unary(
  t: TestContext,
  address: string,
  methods: Methods,
  name: string,
  request: Plain,
): Promise<Plain> {
  const { path, requestSerialize, responseDeserialize } = methodOf(methods, name);
  const { promise, resolve, reject } = Promise.withResolvers<Plain>();
  clientOf(t, address).makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    (error, answer) => {
      if (error === null) resolve(answer ?? {});
      else reject(error);
    },
  );
  return promise;
}

function clientOf(t: TestContext, address: string): Client {
  const client = new Client(address, credentials.createInsecure());
  t.after(() => client.close());
  return client;
}

function methodOf(methods: Methods, name: string): MethodDefinition<Plain, Plain> {
  const method = methods[name];
  if (method === undefined) throw new TypeError(`no method ${name}`);
  return method;
}
