import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type ChannelCredentials, Client, connectivityState, Metadata } from '@grpc/grpc-js';
import { decode, encode, sameBytes } from '#api/grpc-methods.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';
import {
  BrokerError,
  type BrokerSignal,
  type BrokerUpdate,
  type VssBroker,
} from '#diagnostics/sources/vss-broker.ts';
import {
  type Datapoint,
  SignalIDSchema,
  type Metadata as SignalMetadata,
} from '#gen/kuksa/val/v2/types_pb.ts';
import {
  GetServerInfoRequestSchema,
  ListMetadataRequestSchema,
  PublishValueRequestSchema,
  SubscribeRequestSchema,
  VAL,
} from '#gen/kuksa/val/v2/val_pb.ts';
import { brokerErrorFrom } from './broker-failure.ts';
import { datatypeFromWire } from './datatypes.ts';
import { readingFromWire, valueToWire } from './wire-values.ts';

export interface BrokerAddress {
  /** `host:port`, or `unix:/path`. */
  readonly authority: string;
  readonly credentials: ChannelCredentials;
  /** Name that TLS asks for, if not the host. */
  readonly tlsName?: string | undefined;
  readonly token?: string | undefined;
}

const callMs = 10_000;
/** A catalog of some thousand signals has a megabyte. */
const maxMessageBytes = 32 * 1024 * 1024;
/** Messages that the broker keeps for us while we are busy; it takes no more than 1000. */
const bufferSize = 500;
/** Calls at the same time to a broker whose catalog can only be asked for one by one. */
const parallel = 16;

/** One connection to a KUKSA databroker, by kuksa.val.v2. */
export class BrokerClient implements VssBroker {
  readonly #client: Client;
  readonly #metadata = new Metadata();
  readonly #lost = new AbortController();
  #watching = false;

  constructor({ authority, credentials, tlsName, token }: BrokerAddress) {
    this.#client = new Client(authority, credentials, {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      ...(tlsName === undefined ? {} : { 'grpc.ssl_target_name_override': tlsName }),
    });
    if (token !== undefined) this.#metadata.set('authorization', `Bearer ${token}`);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async info(signal: AbortSignal): Promise<string> {
    const { name, version } = await this.#call(
      VAL.method.getServerInfo,
      create(GetServerInfoRequestSchema),
      signal,
    );
    this.#watch();
    return `${name} ${version}`.replace(/\p{Cc}+/gu, ' ').slice(0, 100);
  }

  async catalog(paths: readonly string[], signal: AbortSignal): Promise<readonly BrokerSignal[]> {
    const trees = [...new Set(paths.map((path) => path.split('.', 1)[0] ?? path))];
    const known: SignalMetadata[] = [];
    for (const tree of trees) known.push(...(await this.#list(tree, signal)));
    // The first brokers with this service leave the path out: then every signal has to be asked for. So it has where the name
    // of a tree is no pattern.
    if (known.length > 0 && known.every(({ path }) => path !== ''))
      return known.map((one) => signalFrom(one.path, one));
    const found: BrokerSignal[] = [];
    const left = [...new Set(paths)];
    const ask = async (): Promise<void> => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        const [one, ...others] = await this.#list(path, signal);
        if (one !== undefined && others.length === 0) found.push(signalFrom(path, one));
      }
    };
    await Promise.all(Array.from({ length: parallel }, ask));
    return found;
  }

  async *subscribe(
    datatypes: ReadonlyMap<string, VssDatatype>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly BrokerUpdate[]> {
    signal.throwIfAborted();
    const method = VAL.method.subscribe;
    const request = create(SubscribeRequestSchema, { signalPaths: [...datatypes.keys()], bufferSize });
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      sameBytes,
      sameBytes,
      encode(method.input, request),
      this.#metadata,
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for await (const bytes of call) {
        signal.throwIfAborted();
        const { entries } = decodeAnswer(method, bytes as Buffer);
        yield Object.entries(entries).map(([path, point]) => updateFrom(path, datatypes.get(path), point));
      }
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      throw brokerErrorFrom(error, method.name);
    } finally {
      signal.removeEventListener('abort', cancel);
      // What cancelling makes of the call is nobody's business any more.
      call.on('error', () => {});
      call.cancel();
    }
  }

  async publish(path: string, datatype: VssDatatype, value: VssValue, signal: AbortSignal): Promise<void> {
    const request = create(PublishValueRequestSchema, {
      signalId: create(SignalIDSchema, { signal: { case: 'path', value: path } }),
      dataPoint: { value: wireValue(datatype, value) },
    });
    await this.#call(VAL.method.publishValue, request, signal);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #list(root: string, signal: AbortSignal): Promise<readonly SignalMetadata[]> {
    try {
      const request = create(ListMetadataRequestSchema, { root });
      return (await this.#call(VAL.method.listMetadata, request, signal)).metadata;
    } catch (error) {
      const isNone =
        error instanceof BrokerError && (error.code === 'unknown_signal' || error.code === 'refused');
      if (isNone) return [];
      throw error;
    }
  }

  async #call<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageShape<In>,
    signal: AbortSignal,
  ): Promise<MessageShape<Out>> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const call = this.#client.makeUnaryRequest(
      pathOf(method),
      sameBytes,
      sameBytes,
      encode(method.input, request),
      this.#metadata,
      { deadline: Date.now() + callMs },
      (error, answer) => {
        if (error === null) resolve(answer ?? Buffer.alloc(0));
        else reject(error);
      },
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return decodeAnswer(method, await promise);
    } catch (error) {
      signal.throwIfAborted();
      throw brokerErrorFrom(error, method.name);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #watch(): void {
    const channel = this.#client.getChannel();
    if (this.#watching || channel.getConnectivityState(false) !== connectivityState.READY) return;
    this.#watching = true;
    channel.watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, () => {
      this.#lost.abort(new BrokerError('unreachable', 'the connection to the broker broke'));
    });
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function decodeAnswer<Out extends DescMessage>(
  method: { readonly name: string; readonly output: Out },
  bytes: Buffer,
): MessageShape<Out> {
  try {
    return decode(method.output, bytes);
  } catch (error) {
    throw new BrokerError('refused', `${method.name}: the answer is no ${method.output.typeName}`, {
      cause: error,
    });
  }
}

function wireValue(datatype: VssDatatype, value: VssValue) {
  try {
    return valueToWire(datatype, value);
  } catch (error) {
    if (error instanceof MessageError) throw new BrokerError('refused', error.message, { cause: error });
    throw error;
  }
}

function signalFrom(path: string, { dataType, unit }: SignalMetadata): BrokerSignal {
  return { path, datatype: datatypeFromWire(dataType), unit };
}

function updateFrom(path: string, datatype: VssDatatype | undefined, point: Datapoint): BrokerUpdate {
  if (datatype === undefined) return { path, reading: { kind: 'absent' } };
  const reading = readingFromWire(datatype, point.value);
  if (reading.kind !== 'value') return { path, reading };
  const { timestamp } = point;
  const ts =
    timestamp === undefined ? undefined : timestamp.seconds * 1_000_000n + BigInt(timestamp.nanos) / 1000n;
  return { path, reading: { ...reading, ts } };
}
