import type { TestContext } from 'node:test';
import { Client, type ClientOptions, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';

/** How one call ended. */
export interface RawEnd {
  readonly code: status;
  readonly details: string;
  readonly bytes: Buffer;
}

export interface RawClient {
  /** Sends bytes as they are to `OtaClientV2.OtaClientService/<method>`, or to any full path. */
  call(method: string, bytes?: Uint8Array, options?: RawOptions): Promise<RawEnd>;
}

export interface RawOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A client that knows nothing of messages, so that a test can send any bytes. */
export function rawClient(t: TestContext, address: string, channel: ClientOptions = {}): RawClient {
  const same = (bytes: Buffer) => bytes;
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
    ...channel,
  });
  t.after(() => client.close());
  return {
    call: (method, bytes = Buffer.alloc(0), { deadlineMs, metadata = {}, signal } = {}) => {
      const path = method.startsWith('/') ? method : `/OtaClientV2.OtaClientService/${method}`;
      const { promise, resolve } = Promise.withResolvers<RawEnd>();
      const headers = new Metadata();
      for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
      const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
      const end = (error: ServiceError | null, answer?: Buffer) => {
        const { code, details } = error ?? { code: status.OK, details: '' };
        resolve({ code, details, bytes: answer ?? Buffer.alloc(0) });
      };
      const running = client.makeUnaryRequest(path, same, same, Buffer.from(bytes), headers, options, end);
      signal?.addEventListener('abort', () => running.cancel(), { once: true });
      return promise;
    },
  };
}
