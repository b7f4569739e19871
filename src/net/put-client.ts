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

export interface PutAnswer {
  readonly status: number;
  /** Lower-case names; of repeated ones the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes of the body, as text. */
  readonly text: string;
}

const maxAnswerChars = 4096;
/** A transfer may take this long and, beyond that, as long as a link of this speed needs. */
const baseTotalMs = 60_000;
const slowestBytesPerSecond = 2048;
const pieceBytes = 16 * 1024;

/**
 * Sends bodies by PUT over one connection at a time. Redirects are answers like others, not followed. Errors: those of
 * undici, when there is no answer; the signal's reason.
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

  async put(
    url: URL,
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<PutAnswer> {
    const slow =
      this.#bytesPerSecond === 0
        ? slowestBytesPerSecond
        : Math.min(slowestBytesPerSecond, this.#bytesPerSecond);
    const limit = AbortSignal.timeout(baseTotalMs + Math.ceil((body.length / slow) * 1000));
    const answer = await request(url, {
      method: 'PUT',
      dispatcher: this.#agent,
      headers: { ...headers, 'content-length': String(body.length) },
      body: this.#bytesPerSecond === 0 ? body : Readable.from(paced(body, this.#bytesPerSecond, signal)),
      signal: AbortSignal.any([signal, limit]),
    });
    let text = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      // Read to its end, so that the connection can be used again; kept only in part.
      if (text.length < maxAnswerChars) text = (text + String(chunk)).slice(0, maxAnswerChars);
    }
    const names = Object.entries(answer.headers).map(([name, value]): [string, string] => [
      name,
      (Array.isArray(value) ? value.at(-1) : value) ?? '',
    ]);
    return { status: answer.statusCode, headers: Object.fromEntries(names), text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
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
