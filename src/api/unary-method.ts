import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import type { handleUnaryCall, MethodDefinition, ServerUnaryCall } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { Log } from '#domain/log.ts';
import type { Caller, IncomingCall } from '#ecu/ecu.ts';
import { type CallGate, hostOf } from './call-gate.ts';
import { decode, encode, methodPath, parentHeader, sameBytes } from './grpc-methods.ts';

/** Ends a call with a gRPC code that its caller is told. Anything else that is thrown is a defect: INTERNAL. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  readonly code: status;

  constructor(code: status, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What all methods of a server share. */
export interface ServerContext {
  readonly gate: CallGate;
  readonly log: Log;
  /** For a caller that sets no deadline, in milliseconds. */
  readonly defaultBudgetMs: number;
}

export interface UnaryMethod {
  readonly definition: MethodDefinition<Buffer, Buffer>;
  readonly handler: handleUnaryCall<Buffer, Buffer>;
}

/** One method for grpc-js, with its messages decoded and its errors turned into gRPC codes. */
export function unaryMethod<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  context: ServerContext,
  serve: (request: MessageShape<I>, call: IncomingCall) => Promise<MessageShape<O>> | MessageShape<O>,
): UnaryMethod {
  const answer = async (call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> => {
    using pass = context.gate.enter(call.getPeer());
    if (pass === undefined) {
      throw new CallRefused(status.RESOURCE_EXHAUSTED, 'too many requests at once from this address');
    }
    const request = decodeRequest(method, call.request);
    return encode(method.output, await serve(request, incoming(call, context.defaultBudgetMs)));
  };
  return {
    definition: {
      path: methodPath(method),
      requestStream: false,
      responseStream: false,
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    },
    handler: (call, callback) => {
      answer(call).then(
        (bytes) => callback(null, bytes),
        (error: unknown) => callback(refusalOf(error, method.name, context.log)),
      );
    },
  };
}

function decodeRequest<I extends DescMessage>(method: DescMethodUnary<I>, bytes: Buffer): MessageShape<I> {
  try {
    return decode(method.input, bytes);
  } catch (error) {
    const text = `the bytes are not a ${method.input.typeName}`;
    throw new CallRefused(status.INVALID_ARGUMENT, text, { cause: error });
  }
}

function refusalOf(error: unknown, method: string, log: Log): { code: status; details: string } {
  if (error instanceof CallRefused) return { code: error.code, details: error.message };
  log.error({ err: error, method }, `${method} failed unexpectedly`);
  return { code: status.INTERNAL, details: 'unexpected failure; the log of this ECU has the cause' };
}

function incoming(call: ServerUnaryCall<Buffer, Buffer>, defaultBudgetMs: number): IncomingCall {
  const controller = new AbortController();
  const stop = () => controller.abort(new CallRefused(status.CANCELLED, 'the caller went away'));
  call.on('cancelled', stop);
  if (call.cancelled) stop();
  const deadline = Number(call.getDeadline());
  const budgetMs = Number.isFinite(deadline) ? Math.max(0, deadline - Date.now()) : defaultBudgetMs;
  const caller = callerOf(call, Number.isFinite(deadline), budgetMs);
  return { signal: controller.signal, budgetMs, caller, by: `grpc:${hostOf(call.getPeer())}` };
}

/**
 * Our own parents say that they are. Existing daemons do not, but a parent among them is known by its asyncio client
 * and its deadline of six seconds for children.
 */
function callerOf(call: ServerUnaryCall<Buffer, Buffer>, hasDeadline: boolean, budgetMs: number): Caller {
  if (call.metadata.get(parentHeader).length > 0) return 'parent';
  const [agent] = call.metadata.get('user-agent');
  const existing = String(agent ?? '').startsWith('grpc-python-asyncio/');
  return existing && hasDeadline && budgetMs > 5500 && budgetMs <= 6000 ? 'maybe_parent' : 'agent';
}
