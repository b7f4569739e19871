import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Serves a directory on loopback, which machines see as 10.0.2.2. */
export class ImageServer implements AsyncDisposable {
  readonly #server: ReturnType<typeof createServer>;
  readonly port: number;

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(directory: string): Promise<ImageServer> {
    const server = createServer((request, response) => {
      const path = join(
        directory,
        normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname)),
      );
      const send = async (): Promise<void> => {
        const { size } = await stat(path);
        const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
        const start = Number(range?.[1] ?? 0);
        const end = Math.min(size - 1, range?.[2] ? Number(range[2]) : size - 1);
        const ranged = range === null ? {} : { 'content-range': `bytes ${start}-${end}/${size}` };
        response.writeHead(range === null ? 200 : 206, {
          'content-length': Math.max(0, end - start + 1),
          ...ranged,
        });
        if (size === 0) response.end();
        else await pipeline(createReadStream(path, { start, end }), response);
      };
      send().catch(() => {
        if (!response.headersSent) response.writeHead(404);
        response.end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ImageServer(server, (server.address() as AddressInfo).port);
  }

  /** Base of an image, for a machine. */
  url(name: string): string {
    return `http://10.0.2.2:${this.port}/${name}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
