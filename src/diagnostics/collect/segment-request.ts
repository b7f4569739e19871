import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

// What a receiver of segments understands, a vehicle's as well as the one behind it:
// PUT <prefix>/vehicles/<vehicle>/diagnostics/<id>, POST <prefix>/vehicles/<vehicle>/diagnostics with Idempotency-Key, HEAD
// of the first. The body is an Avro container file.

/** An answer of ours. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a request is about. */
export interface SegmentTarget {
  readonly method: 'PUT' | 'POST' | 'HEAD';
  readonly vehicleId: string;
  /** UUID, lower case. */
  readonly id: string;
}

/** A segment that came whole, with the digest that it was sent with. */
export interface ReceivedSegment extends SegmentTarget {
  readonly body: Buffer;
  /** SHA-256, lower-case hex. */
  readonly sha256: string;
}

const path = /^\/(?:[^/?]+\/)*vehicles\/([^/?]{1,768})\/diagnostics(?:\/([^/?]+))?$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const digestHeader = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/i;
const magic = Buffer.from('Obj\x01', 'latin1');
const maxNameChars = 256;
const allow = { allow: 'PUT, POST, HEAD' };

/** Whom and what a request is about, or the answer to one that is none of ours. */
export function targetOf(request: IncomingMessage): SegmentTarget | Answer {
  const [, encoded = '', last] = path.exec(request.url ?? '') ?? [];
  const vehicleId = nameIn(encoded);
  if (vehicleId === undefined) return { status: 404, text: 'PUT /vehicles/<vehicle>/diagnostics/<id>' };
  const { method } = request;
  if (method === 'POST') {
    if (last !== undefined)
      return { status: 405, text: 'POST /vehicles/<vehicle>/diagnostics', headers: allow };
    const id = String(request.headers['idempotency-key'] ?? '').replaceAll('"', '');
    if (!uuid.test(id))
      return { status: 400, text: 'Idempotency-Key has to be the id of the segment, a UUID' };
    return { method, vehicleId, id };
  }
  if (method !== 'PUT' && method !== 'HEAD')
    return { status: 405, text: 'PUT, POST or HEAD', headers: allow };
  if (last === undefined || !uuid.test(last)) {
    return {
      status: 404,
      text: `${method} /vehicles/<vehicle>/diagnostics/<id>, the id a UUID in lower case`,
    };
  }
  return { method, vehicleId, id: last };
}

/**
 * Takes the body of a request, whole or not at all: with the length and the digest that it was announced with, and no longer
 * than `maxBytes`. Errors: those of the connection, when it ends before.
 */
export async function receiveSegment(
  request: IncomingMessage,
  target: SegmentTarget,
  { maxBytes, needsDigest }: { readonly maxBytes: number; readonly needsDigest: boolean },
): Promise<ReceivedSegment | Answer> {
  const tooLarge = { status: 413, text: `at most ${maxBytes} bytes` };
  const [, claimed] = digestHeader.exec(String(request.headers['content-digest'] ?? '')) ?? [];
  if (claimed === undefined && needsDigest)
    return { status: 400, text: 'Content-Digest with sha-256 is needed' };
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) return tooLarge;
    chunks.push(chunk as Buffer);
  }
  const body = Buffer.concat(chunks);
  const digest = createHash('sha256').update(body).digest();
  if (claimed !== undefined && claimed !== digest.toString('base64')) {
    return { status: 422, text: 'the body does not have its Content-Digest' };
  }
  if (!body.subarray(0, magic.length).equals(magic))
    return { status: 415, text: 'not an Avro container file' };
  return { ...target, body, sha256: digest.toString('hex') };
}

/** The answer once it is known what is stored under the id: `stored` is its SHA-256, `isNew` whether this request stored it. */
export function storedAnswer({ sha256 }: ReceivedSegment, stored: string, isNew: boolean): Answer {
  const headers = digestHeaders(stored);
  if (stored !== sha256) return { status: 409, text: 'another body is stored under this id', headers };
  return isNew ? { status: 201, text: 'stored', headers } : { status: 200, text: 'stored already', headers };
}

/** The answer to HEAD. */
export function headAnswer(stored: string | undefined): Answer {
  if (stored === undefined) return { status: 404, text: '' };
  return { status: 200, text: '', headers: digestHeaders(stored) };
}

/** A directory name for a vehicle: what is no letter, digit or sign of names is escaped, so that none leads elsewhere. */
export function folderOf(vehicleId: string): string {
  const name = encodeURIComponent(vehicleId);
  return name.startsWith('.') ? `%2E${name.slice(1)}` : name;
}

/** The entity tag is the SHA-256 in hex. */
function digestHeaders(sha256: string): Record<string, string> {
  return {
    etag: `"${sha256}"`,
    'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
  };
}

function nameIn(encoded: string): string | undefined {
  try {
    const name = decodeURIComponent(encoded);
    return name === '' || name.length > maxNameChars || !name.isWellFormed() ? undefined : name;
  } catch {
    return undefined;
  }
}
