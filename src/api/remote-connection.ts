import type { CallOptions, ClientOptions, Metadata, ServiceError } from '@grpc/grpc-js';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import { sameBytes } from './grpc-methods.ts';

/** One call as bytes. */
export interface RawCall {
  readonly path: string;
  readonly request: Buffer;
  readonly metadata: Metadata;
  /** Unix time in milliseconds. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/**
 * One long-lived channel to a peer, and what keeps it from being taken for good when it is not. Give it up with
 * `retire`: calls that are under way end first.
 */
export class RemoteConnection {
  readonly #client: Client;
  #underWay = 0;
  #retired = false;
  #lastAnswer = 0;

  /** `authority`: `host:port`, IPv6 in brackets. */
  constructor(authority: string, maxReceiveBytes: number, maxSendBytes: number) {
    this.#client = new Client(
      authority,
      credentials.createInsecure(),
      channelOptions(maxReceiveBytes, maxSendBytes),
    );
  }

  /**
   * Whether the next call may use it. A channel that could not connect refuses calls until its back-off is over, even
   * if the peer is back by then; a new one tries at once.
   */
  get isUsable(): boolean {
    if (this.#retired) return false;
    return this.#client.getChannel().getConnectivityState(false) !== connectivityState.TRANSIENT_FAILURE;
  }

  /** Whether the connection stands at this moment. */
  get isConnected(): boolean {
    return this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  /** When something last came back on it, as `performance.now()`. */
  get lastAnswer(): number {
    return this.#lastAnswer;
  }

  /** Resolves with the answer's bytes; rejects with grpc-js' ServiceError. */
  async call({ path, request, metadata, deadline, signal }: RawCall): Promise<Buffer> {
    this.#underWay += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const done = (error: ServiceError | null, answer?: Buffer) => {
      if (error === null) resolve(answer ?? Buffer.alloc(0));
      else reject(error);
    };
    const options: CallOptions = { deadline };
    const call = this.#client.makeUnaryRequest(path, sameBytes, sameBytes, request, metadata, options, done);
    call.on('metadata', () => {
      this.#lastAnswer = performance.now();
    });
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', cancel);
      this.#underWay -= 1;
      if (this.#retired && this.#underWay === 0) this.#client.close();
    }
  }

  /** No more calls; closed when the last one under way has ended. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#underWay === 0) this.#client.close();
  }
}

function channelOptions(maxReceiveBytes: number, maxSendBytes: number): ClientOptions {
  return {
    'grpc.max_receive_message_length': maxReceiveBytes,
    'grpc.max_send_message_length': maxSendBytes,
    // Pings go out during calls only: existing servers close connections that are pinged without calls.
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5000,
    'grpc.keepalive_permit_without_calls': 0,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 1000,
    // A request has effects: whether to send it again is decided by who asked for it.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    // Channels to one address would otherwise share one connection, and its back-off.
    'grpc.use_local_subchannel_pool': 1,
    // `http_proxy` in the environment is for the outside world, not for ECUs of this vehicle.
    'grpc.enable_http_proxy': 0,
  };
}
