import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** How a server is reached, and what is presented to it. PEM texts. */
export interface PutTls {
  /** Instead of the authorities that Node trusts. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface PutOptions {
  readonly tls: PutTls;
  readonly connectTimeoutMs: number;
  /** Longest silence of the server. */
  readonly idleTimeoutMs: number;
  /** Bytes a second that are sent at most; 0 for as many as the link takes. */
  readonly bytesPerSecond: number;
}

export interface PutRequest {
  readonly method: 'PUT' | 'POST' | 'HEAD' | 'GET';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface PutAnswer {
  readonly status: number;
  /** Lower-case names; of repeated ones the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes of the body, as text. */
  readonly text: string;
  /** SHA-256 of the whole body, lower-case hex; empty when it did not come to its end. */
  readonly sha256: string;
}

const maxAnswerBytes = 4096;
/** No answer is read beyond this. */
const maxBodyBytes = 128 * 1024 * 1024;
/** A transfer may take this long and, beyond that, as long as a link of this speed needs. */
const baseTotalMs = 60_000;
const slowestBytesPerSecond = 2048;
const pieceBytes = 16 * 1024;

/**
 * Sends bodies over one connection at a time. Redirects are answers like others, not followed. Errors: those of undici, when
 * there is no answer; the signal's reason.
 */
export class PutClient implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #bytesPerSecond: number;

  constructor({ tls, connectTimeoutMs, idleTimeoutMs, bytesPerSecond }: PutOptions) {
    const { ca, certificate, key } = tls;
    this.#bytesPerSecond = bytesPerSecond;
    this.#agent = new Agent({
      connections: 1,
      pipelining: 1,
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      connect: {
        timeout: connectTimeoutMs,
        ...(ca === undefined ? {} : { ca }),
        ...(certificate === undefined ? {} : { cert: certificate }),
        ...(key === undefined ? {} : { key }),
      },
    });
  }

  async send({ method, url, headers, body }: PutRequest, signal: AbortSignal): Promise<PutAnswer> {
    const rate = this.#bytesPerSecond;
    const slowest = rate === 0 ? slowestBytesPerSecond : Math.min(slowestBytesPerSecond, rate);
    const length = body?.length ?? 0;
    const limit = AbortSignal.timeout(baseTotalMs + Math.ceil((length / slowest) * 1000));
    const content = rate === 0 || body === undefined ? body : Readable.from(paced(body, rate, signal));
    const answer = await request(url, {
      method,
      dispatcher: this.#agent,
      headers: body === undefined ? headers : { ...headers, 'content-length': String(length) },
      ...(content === undefined ? {} : { body: content }),
      signal: AbortSignal.any([signal, limit]),
    });
    const names = Object.entries(answer.headers).map(([name, value]): [string, string] => [
      name,
      (Array.isArray(value) ? value.at(-1) : value) ?? '',
    ]);
    const { text, sha256 } = await textOf(answer.body);
    return { status: answer.statusCode, headers: Object.fromEntries(names), text, sha256 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Read to its end, so that the connection can be used again. An answer counts whatever becomes of its body. */
async function textOf(body: Readable): Promise<Pick<PutAnswer, 'text' | 'sha256'>> {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let length = 0;
  let isWhole = false;
  try {
    for await (const chunk of body) {
      const bytes = chunk as Buffer;
      hash.update(bytes);
      if (length < maxAnswerBytes) kept.push(bytes.subarray(0, maxAnswerBytes - length));
      length += bytes.length;
      if (length > maxBodyBytes) break;
    }
    isWhole = length <= maxBodyBytes;
  } catch {
    // Its headers said all that matters.
  }
  return { text: Buffer.concat(kept).toString('utf8'), sha256: isWhole ? hash.digest('hex') : '' };
}

/** The body in pieces, no faster than allowed. */
async function* paced(body: Buffer, bytesPerSecond: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const piece = Math.max(1, Math.min(pieceBytes, Math.ceil(bytesPerSecond / 4)));
  const started = performance.now();
  for (let at = 0; at < body.length; at += piece) {
    const due = started + (at / bytesPerSecond) * 1000;
    const wait = due - performance.now();
    if (wait > 0) await delay(wait, undefined, { signal });
    yield body.subarray(at, at + piece);
  }
}
