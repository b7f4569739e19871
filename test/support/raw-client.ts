import type { TestContext } from 'node:test';
import { Client, credentials, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';

/** How one call ended. */
export interface RawEnd {
  readonly code: number;
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
export function rawClient(t: TestContext, address: string): RawClient {
  const same = (bytes: Buffer) => bytes;
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 });
  t.after(() => client.close());
  return {
    call: (method, bytes = Buffer.alloc(0), { deadlineMs, metadata = {}, signal } = {}) => {
      const path = method.startsWith('/') ? method : `/OtaClientV2.OtaClientService/${method}`;
      const { promise, resolve } = Promise.withResolvers<RawEnd>();
      const headers = new Metadata();
      for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
      const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
      const end = (error: ServiceError | null, answer?: Buffer) => {
        const failed: Pick<StatusObject, 'code' | 'details'> = error ?? { code: 0, details: '' };
        resolve({ code: failed.code, details: failed.details, bytes: answer ?? Buffer.alloc(0) });
      };
      const running = client.makeUnaryRequest(path, same, same, Buffer.from(bytes), headers, options, end);
      signal?.addEventListener('abort', () => running.cancel(), { once: true });
      return promise;
    },
  };
}
