import type { DescMethod } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
} from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import type { Log } from '#domain/log.ts';
import type { Identity } from '#domain/role.ts';
import type { RequestRate } from '#ecu/request-rate.ts';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import type { Admission } from './access.ts';
import { type ConsoleRequest, type ConsoleResponse, pathOf } from './exchange.ts';

export interface RpcOptions {
  readonly service: Partial<ServiceImpl<typeof ConsoleService>>;
  readonly rate: RequestRate;
  readonly maxRequestBytes: number;
  readonly log: Log;
  /** Ends streams when the daemon ends. */
  readonly ending: AbortSignal;
  /** Somebody was turned away whose name is known. */
  readonly onForbidden: (identity: Identity, method: string) => void;
  /** An RPC has ended: with `ok`, or with the name of its code. */
  readonly onEnd: (method: string, result: string) => void;
}

/** Answers of this size and more are compressed where the client takes that. */
const compressFromBytes = 16_384;

/** Longest time that a caller may give one request that is no stream, in milliseconds. */
const maxTimeoutMs = 600_000;

/** What changes the vehicle needs an operator; all else a viewer. A method of a later day is not forgotten here. */
const forViewers: ReadonlySet<string> = new Set([
  'GetCaller',
  'GetVehicle',
  'WatchVehicle',
  'PlanUpdate',
  'ListEvents',
  'WatchEvents',
  'ListBlackBoxes',
  'GetBlackBox',
  'ListSignals',
  'WatchSignals',
  'GetDiagnostics',
]);

const admissionKey = createContextKey<Admission>({ kind: 'stranger' });

/** Who calls, in a method that was let through. */
export function callerOf({ values }: Pick<HandlerContext, 'values'>): Identity {
  const admission = values.get(admissionKey);
  if (admission.kind !== 'admitted') throw new TypeError('nobody was admitted');
  return admission.identity;
}

/** The RPCs over Connect, gRPC-Web and gRPC. */
export class RpcRoutes {
  readonly #handlers: ReadonlyMap<string, ReturnType<typeof createConnectRouter>['handlers'][number]>;
  readonly #log: Log;

  constructor(options: RpcOptions) {
    this.#log = options.log;
    const router = createConnectRouter({
      interceptors: [watched(options), guarded(options)],
      readMaxBytes: options.maxRequestBytes,
      acceptCompression: [compressionGzip, compressionBrotli],
      compressMinBytes: compressFromBytes,
      maxTimeoutMs,
      shutdownSignal: options.ending,
    }).service(ConsoleService, options.service);
    this.#handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  }

  has(path: string): boolean {
    return this.#handlers.has(path);
  }

  async serve(request: ConsoleRequest, response: ConsoleResponse, admission: Admission): Promise<void> {
    const handler = this.#handlers.get(pathOf(request));
    if (handler === undefined) throw new TypeError('no such RPC');
    const values = createContextValues().set(admissionKey, admission);
    const universal = universalRequestFromNodeRequest(request, response, undefined, values);
    try {
      await universalResponseToNodeResponse(await handler(universal), response);
    } catch (error) {
      // The client went away while it was answered: its own affair.
      if (universal.signal.aborted || response.destroyed || response.writableEnded) return;
      this.#log.warn(
        { err: error, method: handler.method.name },
        'an answer to the console could not be sent',
      );
      response.destroy();
    }
  }
}

/** Lets through who may, and says why to everybody else. */
function guarded({ rate, onForbidden }: RpcOptions): Interceptor {
  return (next) => async (request) => {
    const admission = request.contextValues.get(admissionKey);
    if (admission.kind !== 'admitted') throw refusalOf(admission);
    const { identity } = admission;
    if (!isAllowed(identity, request.method)) {
      onForbidden(identity, request.method.name);
      const needed = forViewers.has(request.method.name) ? 'viewer or operator' : 'operator';
      throw new ConnectError(
        `${request.method.name} needs role ${needed}; ${identity.name} has ${identity.role}`,
        Code.PermissionDenied,
      );
    }
    if (!rate.take(identity.name)) {
      throw new ConnectError(
        'too many requests per second; see console.requests_per_second',
        Code.ResourceExhausted,
      );
    }
    return next(request);
  };
}

function isAllowed({ role }: Identity, { name }: DescMethod): boolean {
  return role === 'operator' || (role === 'viewer' && forViewers.has(name));
}

function refusalOf(admission: Exclude<Admission, { kind: 'admitted' }>): ConnectError {
  const challenge = { 'www-authenticate': 'Bearer realm="ota console"' };
  switch (admission.kind) {
    case 'stranger': {
      const text = 'credentials are needed: send `authorization: Bearer TOKEN`, or a client certificate';
      return new ConnectError(text, Code.Unauthenticated, challenge);
    }
    case 'refused':
      return new ConnectError(admission.why, Code.Unauthenticated, challenge);
    case 'blocked': {
      const seconds = Math.ceil(admission.waitMs / 1000);
      const text = `too many failed attempts from this address; try again in ${seconds} s`;
      return new ConnectError(text, Code.ResourceExhausted, { 'retry-after': String(seconds) });
    }
  }
}

/** Defects become INTERNAL without their words, which may hold what callers must not see. */
function watched({ log, onEnd }: RpcOptions): Interceptor {
  return (next) => async (request) => {
    const { name } = request.method;
    const fail = (error: unknown): ConnectError => {
      const known = error instanceof ConnectError ? error : undefined;
      if (known !== undefined) return known;
      if (request.signal.aborted) return ConnectError.from(request.signal.reason ?? error, Code.Canceled);
      log.error({ err: error, method: name }, `${name} failed unexpectedly`);
      return new ConnectError('unexpected failure; the log of this ECU has the cause', Code.Internal);
    };
    try {
      const response = await next(request);
      if (!response.stream) {
        onEnd(name, 'ok');
        return response;
      }
      return { ...response, message: followed(response.message, name, fail, onEnd) };
    } catch (error) {
      const failure = fail(error);
      onEnd(name, Code[failure.code] ?? 'Unknown');
      throw failure;
    }
  };
}

async function* followed<T>(
  messages: AsyncIterable<T>,
  method: string,
  fail: (error: unknown) => ConnectError,
  onEnd: RpcOptions['onEnd'],
): AsyncIterable<T> {
  let result = 'Canceled';
  try {
    yield* messages;
    result = 'ok';
  } catch (error) {
    const failure = fail(error);
    result = Code[failure.code] ?? 'Unknown';
    throw failure;
  } finally {
    onEnd(method, result);
  }
}
