import { createHash } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';

// The reference receiver of diagnostics: PUT /vehicles/<vehicle>/diagnostics/<segment id> with an Avro container file as
// body. It keeps each file as it comes, `<directory>/<vehicle>/<id>.avro`, so that Spark, DuckDB or fastavro read the
// directory as it is. An id is stored once: the same bytes again are acknowledged again, other bytes are refused.

export interface ReceiverOptions {
  readonly directory: string;
  /** Largest body that is taken. */
  readonly maxBytes: number;
  /** Required bearer token; empty for none. */
  readonly token: string;
}

const path = /^\/(?:[^/?]+\/)*vehicles\/([^/?]+)\/diagnostics\/([0-9a-f-]{36})$/;
const digestHeader = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/;

/** A server that is not listening yet. */
export function createReceiver(options: ReceiverOptions): Server {
  return createServer((request, response) => {
    receive(request, options)
      .then(({ status, text, headers }) => {
        response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${text}\n`);
      })
      .catch((error: unknown) => fail(response, error));
  });
}

function fail(response: ServerResponse, error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  if (response.headersSent) response.destroy();
  else response.writeHead(500, { 'content-type': 'text/plain' }).end('the receiver failed\n');
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function receive(request: IncomingMessage, options: ReceiverOptions): Promise<Answer> {
  const { directory, maxBytes, token } = options;
  const [, encodedVehicle = '', id = ''] = path.exec(request.url ?? '') ?? [];
  const vehicle = vehicleName(encodedVehicle);
  if (vehicle === undefined || id === '')
    return { status: 404, text: 'PUT /vehicles/<vehicle>/diagnostics/<id>' };
  if (request.method !== 'PUT') return { status: 405, text: 'only PUT', headers: { allow: 'PUT' } };
  if (token !== '' && request.headers.authorization !== `Bearer ${token}`)
    return { status: 401, text: 'not authorised' };
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) return { status: 413, text: `at most ${maxBytes} bytes` };
  const body = await bodyOf(request, maxBytes);
  if (body === undefined) return { status: 413, text: `at most ${maxBytes} bytes` };
  const digest = createHash('sha256').update(body).digest();
  const [, claimed] = digestHeader.exec(String(request.headers['content-digest'] ?? '')) ?? [];
  if (claimed !== undefined && claimed !== digest.toString('base64')) {
    return { status: 400, text: 'the body does not have its Content-Digest' };
  }
  if (!body.subarray(0, 4).equals(Buffer.from('Obj\x01', 'latin1'))) {
    return { status: 415, text: 'not an Avro container file' };
  }
  const headers = { 'content-digest': `sha-256=:${digest.toString('base64')}:` };
  const folder = join(directory, vehicle);
  await mkdir(folder, { recursive: true });
  const target = join(folder, `${id}.avro`);
  if (await storeOnce(folder, target, body)) return { status: 201, text: 'stored', headers };
  const stored = createHash('sha256')
    .update(await readFile(target))
    .digest();
  if (stored.equals(digest)) return { status: 200, text: 'stored already', headers };
  return {
    status: 409,
    text: 'another body is stored under this id',
    headers: { 'content-digest': `sha-256=:${stored.toString('base64')}:` },
  };
}

/** A name that is safe as the name of a directory. */
function vehicleName(encoded: string): string | undefined {
  try {
    const name = decodeURIComponent(encoded);
    return /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined when it is too long; then the rest is not read. */
async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Durable when it resolves; false when there is a file already. */
async function storeOnce(folder: string, target: string, body: Buffer): Promise<boolean> {
  const temporary = `${target}.${process.pid}-${performance.now()}.part`;
  const file = await open(temporary, 'wx');
  try {
    await file.writeFile(body);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // Unlike rename, link never replaces what is there.
    await link(temporary, target);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return false;
  } finally {
    await rm(temporary, { force: true });
  }
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  return true;
}
