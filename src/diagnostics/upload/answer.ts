import { parseRetryAfter } from '#net/retry.ts';

/** What to do with a segment after an answer of the receiver. */
export type UploadVerdict =
  /** It is stored there: forget it here. */
  | { readonly kind: 'stored' }
  /** Something else is stored there under its id, or it will never be taken: put it aside. */
  | { readonly kind: 'quarantine'; readonly why: string }
  /** It is too large for the receiver: send it in two halves. */
  | { readonly kind: 'split' }
  /** The credentials are refused: read them anew, then wait long. */
  | { readonly kind: 'unauthorized' }
  /** The address or the receiver's set-up is wrong: wait long. */
  | { readonly kind: 'misconfigured'; readonly why: string }
  /** Try again, no earlier than after so many milliseconds. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly why: string };

/** Longest wait that a receiver may ask for. */
const maxRetryAfterMs = 24 * 3600 * 1000;

/**
 * Every class of answers has its own consequence. `digest` is the SHA-256 of the segment in lower-case hex: a conflict
 * with the same digest means that an earlier attempt arrived although its answer did not.
 */
export function judgeAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  text: string,
  digest: string,
  nowUnixMs: number,
): UploadVerdict {
  if (status === 200 || status === 201 || status === 204) return { kind: 'stored' };
  if (status === 409 || status === 412) {
    if (namesDigest(headers, text, digest)) return { kind: 'stored' };
    return { kind: 'quarantine', why: `the receiver holds something else under this id (${status})` };
  }
  if (status === 400 || status === 415 || status === 422) {
    return { kind: 'quarantine', why: `the receiver refuses it for good (${status})` };
  }
  if (status === 413) return { kind: 'split' };
  if (status === 401 || status === 403) return { kind: 'unauthorized' };
  if (status === 404 || status === 405 || status === 501 || (status >= 300 && status < 400)) {
    return { kind: 'misconfigured', why: `the receiver answers ${status}: check diagnostics.upload.url` };
  }
  const afterMs = Math.min(maxRetryAfterMs, parseRetryAfter(headers['retry-after'], nowUnixMs));
  return { kind: 'retry', afterMs, why: `the receiver answers ${status}` };
}

/** In `Content-Digest` (RFC 9530), in an entity tag that is the digest in hex, or in the text. */
function namesDigest(headers: Readonly<Record<string, string>>, text: string, digest: string): boolean {
  const base64 = Buffer.from(digest, 'hex').toString('base64');
  return (
    (headers['content-digest'] ?? '').includes(base64) ||
    (headers['etag'] ?? '').toLowerCase().includes(digest) ||
    text.toLowerCase().includes(digest)
  );
}
