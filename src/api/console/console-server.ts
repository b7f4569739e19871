import {
  createServer as createHttp2,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { DaemonOptions } from '#config/options.ts';
import { authority } from '#domain/ecu.ts';
import type { Log } from '#domain/log.ts';
import { FreshTls } from '#host/fresh-tls.ts';
import { nodeHttp } from '#host/node-http.ts';
import type { TlsMaterial } from '#host/tls-material.ts';
import { ConsoleServerError, type ConsoleServerErrorCode } from './console-server-error.ts';
import { readTls } from './console-tls.ts';
import type { ConsoleHandler } from './exchange.ts';

export interface ConsoleServerOptions {
  readonly options: Omit<DaemonOptions['console'], 'enabled'>;
  readonly log: Log;
  /** What answers; loaded when the first connection comes: an idle daemon does without. */
  readonly load: () => Promise<ConsoleHandler>;
}

/** The listener of the console. Closing takes no new connections, lets answers end shortly, and cuts off the rest. */
export interface ConsoleServer extends AsyncDisposable {
  readonly port: number;
  readonly secure: boolean;
}

/** A connection that says nothing is closed after so long, in milliseconds. */
const firstBytesMs = 10_000;
const stopLimitMs = 500;
const maxHeaderBytes = 16_384;

/** Takes connections of both versions of HTTP, with or without TLS. */
type Accept = (socket: Socket) => void;

/** What TLS is spoken with at the moment, and what speaks it once the first connection has come. */
interface Presented {
  material: TlsMaterial;
  server: Http2SecureServer | undefined;
}

/** Listens for people. Errors: ConsoleServerError. */
export async function startConsoleServer({
  options,
  log,
  load,
}: ConsoleServerOptions): Promise<ConsoleServer> {
  const material = await readTls(options);
  const tls: Presented | undefined = material && { material, server: undefined };
  const fresh = tls && follow(tls, options, log);
  const sockets = new Set<Socket>();
  let accept: Promise<Accept> | undefined;
  const server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    accept ??= load().then((handler) => acceptor(handler, options, tls));
    accept.then(
      (take) => take(socket),
      (error: unknown) => {
        accept = undefined;
        log.error({ err: error }, 'the console could not be loaded');
        socket.destroy();
      },
    );
  });
  server.maxConnections = options.connections;
  try {
    await listen(server, options);
  } catch (error) {
    fresh?.[Symbol.dispose]();
    throw error;
  }
  return {
    port: (server.address() as AddressInfo).port,
    secure: tls !== undefined,
    [Symbol.asyncDispose]: () => {
      fresh?.[Symbol.dispose]();
      return stop(server, sockets);
    },
  };
}

/** A certificate that is renewed counts for the connections that are made from then on. */
function follow(tls: Presented, options: ConsoleServerOptions['options'], log: Log): FreshTls {
  return new FreshTls(
    {
      who: 'the console',
      read: async () => (await readTls(options)) ?? tls.material,
      present: (material) => {
        tls.server?.setSecureContext(contextOf(material));
        tls.material = material;
      },
      log,
    },
    tls.material,
  );
}

/** All of it each time: what is left out when a context is replaced gets its default. */
function contextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) };
}

function acceptor(
  handler: ConsoleHandler,
  options: ConsoleServerOptions['options'],
  tls: Presented | undefined,
): Accept {
  const { idleTimeoutMs } = options;
  const settings = {
    maxConcurrentStreams: options.watchersPerCaller + 32,
    maxHeaderListSize: maxHeaderBytes,
  };
  const bounded = (session: ServerHttp2Session): void => {
    session.setTimeout(idleTimeoutMs, () => session.destroy());
    session.on('error', () => {});
  };
  if (tls !== undefined) {
    const clients = tls.material.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
    const secure = createSecureServer(
      {
        ...contextOf(tls.material),
        ...clients,
        allowHTTP1: true,
        settings,
        handshakeTimeout: firstBytesMs,
      },
      handler,
    );
    tls.server = secure;
    secure.on('session', bounded);
    // Of what speaks HTTP/1.1 here.
    secure.setTimeout(idleTimeoutMs);
    secure.on('secureConnection', (socket) => socket.setTimeout(idleTimeoutMs, () => socket.destroy()));
    secure.on('tlsClientError', (_error, socket) => socket.destroy());
    return (socket) => {
      socket.resume();
      secure.emit('connection', socket);
    };
  }
  const http1 = nodeHttp.createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      // Node wants it to be the shorter one.
      headersTimeout: Math.min(firstBytesMs, idleTimeoutMs),
      requestTimeout: idleTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
    },
    handler,
  );
  http1.setTimeout(idleTimeoutMs);
  const http2 = createHttp2({ settings }, handler);
  http2.on('session', bounded);
  return (socket) => sniff(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit('connection', socket));
}

/** HTTP/2 without TLS begins with `PRI * HTTP/2.0` (RFC 9113, 3.4), which no method of HTTP/1.1 does. */
function sniff(socket: Socket, go: (isHttp2: boolean) => void): void {
  const late = setTimeout(() => socket.destroy(), firstBytesMs);
  socket.once('close', () => clearTimeout(late));
  let first = Buffer.alloc(0);
  const look = (): void => {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    first = Buffer.concat([first, bytes]);
    if (first.length < 3 && 'PRI'.startsWith(first.toString('latin1'))) return;
    clearTimeout(late);
    socket.off('readable', look);
    socket.unshift(first);
    go(first.subarray(0, 3).toString('latin1') === 'PRI');
  };
  socket.on('readable', look);
}

const codes: Readonly<Record<string, ConsoleServerErrorCode>> = {
  EADDRINUSE: 'address_in_use',
  EADDRNOTAVAIL: 'address_not_local',
  EACCES: 'not_permitted',
};

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) => {
    reject(new ConsoleServerError(codes[cause.code ?? ''] ?? 'other', authority({ host, port }), { cause }));
  });
  server.listen({ host, port, exclusive: true }, () => resolve());
  return promise;
}

async function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  const limit = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, stopLimitMs);
  await promise;
  clearTimeout(limit);
}
