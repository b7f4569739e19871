import type { TestContext } from 'node:test';
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { handleUnaryCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { UpdateRequest } from '#gen/otaclient_v2_pb.ts';
import { OtaClientService } from '#gen/otaclient_v2_pb.ts';

type Methods = typeof OtaClientService.method;
type MethodName = keyof Methods;

/** What a peer answers: a message, an error with a gRPC code, or nothing ever. */
type Answer<Name extends MethodName> =
  | MessageInitShape<Methods[Name]['output']>
  | { readonly code: status; readonly details: string }
  | 'silence';

/** How the peer answers each call; a call that is not here is UNIMPLEMENTED, as at an old daemon. */
export type Script = {
  [Name in MethodName]?: (request: MessageShape<Methods[Name]['input']>) => Answer<Name>;
};

export interface ScriptedPeer {
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  stop(): void;
}

/**
 * A peer that speaks OtaClientV2 over real gRPC and answers what the test tells it to: none of our server code is in
 * it. With `port` it comes back at the place of an earlier one.
 */
export async function scriptedPeer(t: TestContext, script: Script, port = 0): Promise<ScriptedPeer> {
  const server = new Server();
  const methods = Object.values(OtaClientService.method).filter((method) => method.localName in script);
  const definition: ServiceDefinition = Object.fromEntries(
    methods.map((method) => [method.localName, methodDefinition(method)]),
  );
  const handlers: UntypedServiceImplementation = Object.fromEntries(
    methods.map((method) => [method.localName, handler(method, script)]),
  );
  server.addService(definition, handlers);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
    if (error === null) resolve(bound);
    else reject(error);
  });
  const bound = await promise;
  const stop = (): void => server.forceShutdown();
  t.after(stop);
  return { port: bound, address: `127.0.0.1:${bound}`, stop };
}

/** A peer that accepts every update, and the requests that it got. */
export async function acceptingPeer(
  t: TestContext,
): Promise<{ peer: ScriptedPeer; requests: UpdateRequest[] }> {
  const requests: UpdateRequest[] = [];
  const peer = await scriptedPeer(t, {
    update: (request) => {
      requests.push(request);
      return { ecu: request.ecu.map(({ ecuId }) => ({ ecuId })) };
    },
    status: () => ({ availableEcuIds: ['main', 'camera'] }),
  });
  return { peer, requests };
}

function methodDefinition(method: DescMethodUnary): ServiceDefinition[string] {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: MessageShape<DescMessage>) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (message: MessageShape<DescMessage>) => Buffer.from(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

function handler(
  method: DescMethodUnary,
  script: Script,
): handleUnaryCall<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  const answer = script[method.localName as MethodName] as (request: unknown) => Answer<MethodName>;
  return (call, callback) => {
    const said = answer(call.request);
    if (said === 'silence') return;
    if ('code' in said) callback({ code: said.code, details: said.details });
    else callback(null, create(method.output, said));
  };
}

/** What a daemon answers to Status in its first moments. */
export const notReady = { code: status.UNAVAILABLE, details: 'own status not yet known' } as const;
