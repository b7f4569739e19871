import { setTimeout as delay } from 'node:timers/promises';
import type { PutAnswer, PutRequest } from '#net/put-client.ts';
import { isSameContent, judgeAnswer, type UploadVerdict } from './answer.ts';
import type { QueuedSegment } from './queue.ts';

export interface ExchangeOptions {
  /** Segments go to `<url>/vehicles/<vehicle id>/diagnostics/<segment id>`; by POST, to the same without the last part. */
  readonly url: URL;
  readonly method: 'PUT' | 'POST';
  readonly contentType: string;
  readonly send: (request: PutRequest, signal: AbortSignal) => Promise<PutAnswer>;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** Sends one segment and finds out what became of it. Errors: only the signal's reason. */
export async function exchange(
  { vehicleId, segment }: QueuedSegment,
  { bytes, sha256 }: { readonly bytes: Buffer; readonly sha256: string },
  token: string,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<UploadVerdict> {
  const { url, method, contentType, send, wallMs } = options;
  const folder = `vehicles/${encodeURIComponent(vehicleId)}/diagnostics`;
  const own = new URL(`${folder}/${segment.id}`, withSlash(url));
  const authorization: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
  const headers = {
    ...authorization,
    'content-type': contentType,
    'content-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
    'idempotency-key': segment.id,
    ...(method === 'PUT' ? { 'if-none-match': '*' } : {}),
  };
  try {
    const target = method === 'PUT' ? own : new URL(folder, withSlash(url));
    const answer = await send({ method, url: target, headers, body: bytes }, signal);
    const verdict = judgeAnswer(answer, bytes, wallMs());
    if (verdict.kind !== 'exists') return verdict;
    return await compareStored(verdict.status);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'retry', afterMs: 0, why: `no answer: ${reasonOf(error)}` };
  }

  /** Asks for the digest of what is stored, then for the thing itself. */
  async function compareStored(status: number): Promise<UploadVerdict> {
    for (const how of ['HEAD', 'GET'] as const) {
      const answer = await send({ method: how, url: own, headers: authorization }, signal);
      if (answer.status !== 200) {
        const verdict = judgeAnswer(answer, bytes, wallMs());
        if (verdict.kind === 'retry') return verdict;
        continue;
      }
      const same =
        how === 'GET' && answer.sha256 !== '' ? answer.sha256 === sha256 : isSameContent(answer, bytes);
      if (same === true) return { kind: 'stored' };
      if (same === false) {
        return { kind: 'conflict', why: `the receiver holds something else under this id (${status})` };
      }
    }
    return {
      kind: 'quarantine',
      why: `the receiver has this id already and does not tell what it is (${status})`,
    };
  }
}

/** What went wrong, in the words of the system. Of several addresses that were tried, the last. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors.at(-1));
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function withSlash(url: URL): URL {
  const base = new URL(url.href);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}

/** Resolves after `ms`, or when the signal fires. */
export async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.min(ms, 2 ** 31 - 1), undefined, { signal }).catch(() => {});
}
