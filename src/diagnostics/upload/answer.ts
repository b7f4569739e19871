import { createHash } from 'node:crypto';
import { parseRetryAfter } from '#net/retry.ts';

/** What to do with a segment after an answer of the receiver. */
export type UploadVerdict =
  /** It is stored there: forget it here. */
  | { readonly kind: 'stored' }
  /** Something is stored there under its id, and the answer does not tell whether it is the same. */
  | { readonly kind: 'exists'; readonly status: number }
  /** Something else is stored there under its id. */
  | { readonly kind: 'conflict'; readonly why: string }
  /** It will never be taken: put it aside. */
  | { readonly kind: 'quarantine'; readonly why: string }
  /** It is too large for the receiver: send it in two halves. */
  | { readonly kind: 'split' }
  /** The credentials are refused: read them anew, then wait long. */
  | { readonly kind: 'unauthorized' }
  /** The address or the receiver's set-up is wrong: wait long. */
  | { readonly kind: 'misconfigured'; readonly why: string }
  /** Try again, no earlier than after so many milliseconds. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly why: string };

/** An answer as far as it is judged. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Longest wait that a receiver may ask for. */
const maxRetryAfterMs = 24 * 3600 * 1000;
const retryable = new Set([408, 425, 429]);

/**
 * Every class of answers has its own consequence. A conflict with the same digest means that an earlier attempt arrived
 * although its answer did not.
 */
export function judgeAnswer(answer: Answer, body: Buffer, nowUnixMs: number): UploadVerdict {
  const { status } = answer;
  if (status === 200 || status === 201 || status === 204) return { kind: 'stored' };
  if (status === 409 || status === 412) {
    const same = isSameContent(answer, body);
    if (same === undefined) return { kind: 'exists', status };
    if (same) return { kind: 'stored' };
    return { kind: 'conflict', why: `the receiver holds something else under this id (${status})` };
  }
  if (status === 400 || status === 415 || status === 422) {
    return { kind: 'quarantine', why: `the receiver refuses it for good (${status})` };
  }
  if (status === 413) return { kind: 'split' };
  if (status === 401 || status === 403) return { kind: 'unauthorized' };
  const isClientError = status >= 300 && status < 500 && !retryable.has(status);
  if (isClientError || status === 501) {
    return { kind: 'misconfigured', why: `the receiver answers ${status}: check diagnostics.upload.url` };
  }
  const afterMs = Math.min(
    maxRetryAfterMs,
    parseRetryAfter(answer.headers['retry-after'], ownTime(answer, nowUnixMs)),
  );
  return { kind: 'retry', afterMs, why: `the receiver answers ${status}` };
}

/** A date in `Retry-After` means the receiver's clock, which `Date` tells; ours may never have been set. */
function ownTime({ headers }: Answer, nowUnixMs: number): number {
  const date = Date.parse(headers['date'] ?? '');
  return Number.isNaN(date) ? nowUnixMs : date;
}

/**
 * Whether an answer names the content that we hold: by `Content-Digest` or `Repr-Digest` (RFC 9530), by an entity tag that
 * is its SHA-256 or MD5 (S3 and its like), or in the text. Undefined when it names none.
 */
export function isSameContent({ headers, text }: Answer, body: Buffer): boolean | undefined {
  const sha256 = createHash('sha256').update(body);
  const [base64, hex] = [sha256.copy().digest('base64'), sha256.digest('hex')];
  for (const name of ['repr-digest', 'content-digest']) {
    const [, found] = /sha-256=:([A-Za-z0-9+/=]+):/.exec(headers[name] ?? '') ?? [];
    // A digest of the answer's own text does not count as that of something else.
    if (found === base64) return true;
    if (found !== undefined && found !== digestOf(text)) return false;
  }
  const tag = /"([^"]*)"/.exec(headers['etag'] ?? '')?.[1] ?? '';
  if ([hex, base64].some((digest) => tag.toLowerCase().includes(digest.toLowerCase()))) return true;
  if (tag.toLowerCase() === createHash('md5').update(body).digest('hex')) return true;
  if (text.toLowerCase().includes(hex) || text.includes(base64)) return true;
  if (/^(?:sha-?256[:-])?[0-9a-f]{64}$/i.test(tag) || /\b[0-9a-f]{64}\b/i.test(text)) return false;
  return undefined;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
