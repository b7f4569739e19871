import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server saw of one request. */
export interface SeenRequest {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A real HTTP server on loopback whose behaviour the test writes, and which remembers what it was asked. */
export class WireServer implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly origin: URL;
  readonly #server: ReturnType<typeof createServer>;
  /** Connections that were opened to it. */
  connections = 0;

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.origin = new URL(`http://127.0.0.1:${port}/`);
    server.on('connection', () => this.connections++);
  }

  static async start(handler: Handler): Promise<WireServer> {
    const listening = createServer();
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const server = new WireServer(listening, (listening.address() as AddressInfo).port);
    listening.on('request', (request: IncomingMessage, response: ServerResponse) => {
      server.seen.push({ url: request.url ?? '', headers: request.headers });
      void handler(request, response);
    });
    return server;
  }

  url(path: string): URL {
    return new URL(path, this.origin);
  }

  get openConnections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Answers as a good file server does: 206 for a satisfiable range, 416 beyond the end. Returns the bytes sent. */
export function serveRange(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  headers: Record<string, string> = {},
): number {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const current = headers['etag'];
  const guard = request.headers['if-range'];
  if (range === null || (guard !== undefined && guard !== current)) {
    response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
    return body.length;
  }
  const first = Number(range[1]);
  if (first >= body.length) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${body.length}` }).end();
    return 0;
  }
  const last = Math.min(range[2] === '' ? Number.POSITIVE_INFINITY : Number(range[2]), body.length - 1);
  const piece = body.subarray(first, last + 1);
  const contentRange = `bytes ${first}-${last}/${body.length}`;
  response
    .writeHead(206, { ...headers, 'content-length': piece.length, 'content-range': contentRange })
    .end(piece);
  return piece.length;
}

/** Announces the whole body, or the range that was asked for, sends some of it and cuts the connection. */
export function serveTorn(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  bytes: number,
): void {
  const first = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const ranged = request.headers.range !== undefined;
  const head = {
    'content-length': body.length - first,
    'content-range': `bytes ${first}-${body.length - 1}/${body.length}`,
  };
  response.writeHead(ranged ? 206 : 200, head);
  response.write(body.subarray(first, first + bytes), () => response.destroy());
}
