import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** What one client has been sent. */
export interface ServedCount {
  /** Answers with a file or a part of one. */
  readonly answers: number;
  /** Bytes of bodies. */
  readonly bytes: number;
}

export interface ImageServer extends AsyncDisposable {
  /** Ends in a slash. */
  readonly url: URL;
  /** By the value of the cookie `ecu`; empty for clients that send none. */
  served(ecu: string): ServedCount;
}

export interface ImageServerOptions {
  /** First part of the URL's path -> directory that it stands for. */
  readonly folders: ReadonlyMap<string, string>;
  readonly host: string;
  /** Another free one is taken when this one is in use. */
  readonly port: number;
}

/** Files up to this many bytes are answered in one piece. */
const onePieceBytes = 64 * 1024;

/** Serves directories over HTTP: GET and HEAD, keep-alive, ranges with If-Range. Counts what it sends. */
export async function startImageServer(options: ImageServerOptions): Promise<ImageServer> {
  const counts = new Map<string, { answers: number; bytes: number }>();
  const server = createServer({ keepAlive: true, keepAliveTimeout: 60_000 }, (request, response) => {
    answer(request, response, options.folders, counts).catch(() => {
      // The client went away, or the disk failed in the middle of a file: a torn connection says so.
      response.destroy();
    });
  });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://${options.host}:${port}/`),
    served: (ecu) => counts.get(ecu) ?? { answers: 0, bytes: 0 },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, { host, port }: ImageServerOptions): Promise<void> {
  try {
    await once(server.listen(port, host), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await once(server.listen(0, host), 'listening');
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  folders: ReadonlyMap<string, string>,
  counts: Map<string, { answers: number; bytes: number }>,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const path = filePath(request.url ?? '/', folders);
  await using file = path === undefined ? undefined : await openFile(path);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  const { size, mtimeMs } = await file.stat();
  const etag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? rangeOf(request.headers.range, size) : undefined;
  const headers = { 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream', etag };
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { from, length } = range ?? { from: 0, length: size };
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': length,
    ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${from + length - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  const ecu = /(?:^|;\s*)ecu=([\w-]{1,128})/.exec(request.headers.cookie ?? '')?.[1] ?? '';
  const count = counts.get(ecu) ?? { answers: 0, bytes: 0 };
  counts.set(ecu, count);
  count.answers += 1;
  if (length <= onePieceBytes) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, from);
    count.bytes += bytesRead;
    response.end(buffer.subarray(0, bytesRead));
    return;
  }
  await pipeline(
    file.createReadStream({
      start: from,
      end: from + length - 1,
      highWaterMark: 256 * 1024,
      autoClose: false,
    }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        yield chunk;
        // Asked for the next one: this one was taken.
        count.bytes += chunk.length;
      }
    },
    response,
  );
}

/** Undefined for what lies in none of the folders. */
function filePath(target: string, folders: ReadonlyMap<string, string>): string | undefined {
  try {
    const [, first = '', ...names] = decodeURIComponent(target.split('?', 1)[0] ?? '').split('/');
    const folder = folders.get(first);
    const isPlain = names.every((name) => name !== '..' && !name.includes('\0'));
    return folder !== undefined && isPlain ? join(folder, ...names) : undefined;
  } catch {
    return undefined;
  }
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch {
    // Missing, or a directory: there is no such file here.
  }
  return undefined;
}

/** RFC 9110 section 14.1.2; several ranges may be answered with the whole, and so are ranges that make no sense. */
function rangeOf(
  header: string | undefined,
  size: number,
): { readonly from: number; readonly length: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  return from > to ? 'unsatisfiable' : { from, length: to - from + 1 };
}
