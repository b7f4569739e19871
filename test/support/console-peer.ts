import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { ServiceImpl } from '@connectrpc/connect';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';

interface ConsolePeerOptions {
  /** The only token that is let in. */
  readonly token?: string;
  /** PEM: serves https. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Comes back at the place of an earlier one. */
  readonly port?: number;
}

export interface ConsolePeer {
  readonly url: string;
  readonly port: number;
  /** Resolves when somebody watches a stream of it. */
  readonly watched: Promise<void>;
  stop(): Promise<void>;
}

/** A console over real HTTP that answers what the test tells it to: none of our server code is in it. */
export async function consolePeer(
  t: TestContext,
  service: Partial<ServiceImpl<typeof ConsoleService>>,
  { token, tls, port = 0 }: ConsolePeerOptions = {},
): Promise<ConsolePeer> {
  const { promise: watched, resolve: onWatch } = Promise.withResolvers<void>();
  const handler = connectNodeAdapter({
    routes: (router) => router.service(ConsoleService, service),
    interceptors: [
      (next) => async (request) => {
        const shown = request.header.get('authorization');
        if (token !== undefined && shown !== `Bearer ${token}`) {
          throw new ConnectError('not this one', Code.Unauthenticated);
        }
        const answer = await next(request);
        if (answer.stream) onWatch();
        return answer;
      },
    ],
  });
  const server = tls === undefined ? http.createServer(handler) : https.createServer(tls, handler);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  t.after(stop);
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`, port: bound, watched, stop };
}
