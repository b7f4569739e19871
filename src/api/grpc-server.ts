import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { authority, type EcuId } from '#domain/ecu.ts';
import type { Log } from '#domain/log.ts';
import type { Vehicle } from '#ecu/ecu.ts';
import { OtaClientService } from '#gen/otaclient_v2_pb.ts';
import { CallGate } from './call-gate.ts';
import { defaultMaxMessageBytes } from './grpc-methods.ts';
import { HealthService } from './health-service.ts';
import { lateEcuMethods } from './inspection/late-ecu-methods.ts';
import type { VehicleInspection } from './inspection/vehicle-inspection.ts';
import { otaClientMethods } from './otaclient-service.ts';
import { addReflection } from './reflection.ts';
import { ServerError, type ServerErrorCode } from './server-error.ts';
import type { UnaryMethod } from './unary-method.ts';

export interface GrpcServerOptions {
  /** An IP literal of this machine. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly ownId: EcuId;
  readonly log: Log;
  /** What else ECUs of our make are told; absent, and they are told nothing. */
  readonly inspection?: () => Promise<VehicleInspection>;
  /** Largest message taken or sent, in bytes. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** Whether tools may ask what is served. Default true. */
  readonly reflection?: boolean;
  /** Time for a request whose caller sets no deadline, in milliseconds. Default 10 s. */
  readonly defaultBudgetMs?: number;
  /** Most calls under way per client address. Default 64. */
  readonly callsPerClient?: number;
  /** Time for calls under way when the server stops, in milliseconds. Default 2 s. */
  readonly stopLimitMs?: number;
}

/** The running API. */
export interface GrpcServer extends AsyncDisposable {
  readonly port: number;
  /** Takes no new calls, lets those under way end within the limit, and then cuts them off. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Serves a vehicle, gRPC health and, unless switched off, reflection. Errors: ServerError. */
export async function startGrpcServer(vehicle: Vehicle, options: GrpcServerOptions): Promise<GrpcServer> {
  const { ownId, log, maxMessageBytes = defaultMaxMessageBytes, reflection = true } = options;
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5000,
    'grpc.max_concurrent_streams': 100,
  });
  const context = {
    gate: new CallGate(options.callsPerClient ?? 64),
    log,
    defaultBudgetMs: options.defaultBudgetMs ?? 10_000,
  };
  addMethods(server, otaClientMethods(vehicle, ownId, context));
  if (options.inspection !== undefined) addMethods(server, lateEcuMethods(options.inspection, context));
  const health = new HealthService([OtaClientService.typeName]);
  health.addTo(server);
  if (reflection) addReflection(server);
  const port = await bind(server, options);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      health.stop();
      await stop(server, options.stopLimitMs ?? 2000);
    },
  };
}

function addMethods(server: Server, methods: readonly UnaryMethod[]): void {
  server.addService(
    Object.fromEntries(methods.map(({ definition }) => [definition.path, definition])),
    Object.fromEntries(methods.map(({ definition, handler }) => [definition.path, handler])),
  );
}

async function bind(server: Server, { host, port }: GrpcServerOptions): Promise<number> {
  const address = authority({ host, port });
  await probe(host, port);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
    if (error === null) resolve(bound);
    else reject(new ServerError('other', address, { cause: error }));
  });
  return promise;
}

/** grpc-js tells in prose only why it cannot listen; the system tells it in a word. Errors: ServerError. */
async function probe(host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const listener = createServer();
  listener.once('error', (cause: NodeJS.ErrnoException) => {
    reject(new ServerError(codes[cause.code ?? ''] ?? 'other', authority({ host, port }), { cause }));
  });
  listener.listen({ host, port, exclusive: true }, () => listener.close(() => resolve()));
  return promise;
}

const codes: Readonly<Record<string, ServerErrorCode>> = {
  EADDRINUSE: 'address_in_use',
  EADDRNOTAVAIL: 'address_not_local',
  EACCES: 'not_permitted',
};

async function stop(server: Server, limitMs: number): Promise<void> {
  const ended = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.tryShutdown(() => resolve());
  const limit = delay(limitMs, undefined, { signal: ended.signal }).then(
    () => server.forceShutdown(),
    () => {},
  );
  await Promise.race([promise, limit]);
  ended.abort();
}
