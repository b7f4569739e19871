import type { HttpTuning } from './http-tuning.ts';
import { NetError } from './net-error.ts';

/** One attempt failed in a way that another one may not. Never leaves this folder except as a cause. */
export class AttemptError extends Error {
  override readonly name = 'AttemptError';
  readonly status: number | undefined;
  /** The least that the server wants us to wait, in milliseconds. */
  readonly retryAfterMs: number;
  /** The body is not as long as the image says: a cache on the way may hold a torn copy. */
  readonly wrongLength: boolean;

  constructor(
    message: string,
    options?: { readonly status?: number; readonly retryAfterMs?: number; readonly wrongLength?: boolean },
  ) {
    super(message);
    this.wrongLength = options?.wrongLength ?? false;
    this.status = options?.status;
    this.retryAfterMs = options?.retryAfterMs ?? 0;
  }
}

const retryable = new Set([408, 425, 429]);

/** What an answer with this status means for its request: an AttemptError to retry, or a NetError that is final. */
export function statusFailure(url: URL, status: number, retryAfter: string | undefined): Error {
  const detail = `the server answers ${status}`;
  switch (status) {
    case 401:
      return new NetError('unauthorized', url, detail, { status });
    case 403:
      return new NetError('forbidden', url, detail, { status });
    case 404:
    case 410:
      return new NetError('not_found', url, detail, { status });
    default: {
      const retryAfterMs = parseRetryAfter(retryAfter, Date.now());
      // RFC 9110 15.5.14: 413 is temporary exactly when it says when to come back.
      const temporary =
        status >= 500 || retryable.has(status) || (status === 413 && retryAfter !== undefined);
      return temporary
        ? new AttemptError(detail, { status, retryAfterMs })
        : new NetError('protocol', url, detail, { status });
    }
  }
}

/** RFC 9110 10.2.3: seconds, or a date. Milliseconds; 0 when absent or malformed. */
export function parseRetryAfter(value: string | undefined, nowUnixMs: number): number {
  if (value === undefined) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowUnixMs);
}

/** Full jitter: anything between nothing and the exponentially growing limit, so that vehicles do not march in step. */
function backoffMs(failures: number, baseMs: number, maxMs: number, random: () => number): number {
  const limit = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return random() * limit;
}

/** An attempt that brought this much was no failure of the server: a long body may break many times. */
const goodPiece = 256 * 1024;
/** A wrong length is asked for again for the sake of caches on the way; then the image itself is wrong. */
const maxWrongLengths = 3;

/** Decides for one request whether and when to try again. */
export class RetryPolicy {
  readonly #url: URL;
  readonly #tuning: HttpTuning;
  readonly #random: () => number;
  #failures = 0;
  #wrongLengths = 0;

  constructor(url: URL, tuning: HttpTuning, random: () => number) {
    this.#url = url;
    this.#tuning = tuning;
    this.#random = random;
  }

  /** A cache on the way is suspected to hold a torn copy. */
  get suspectsCache(): boolean {
    return this.#wrongLengths > 0;
  }

  /** Milliseconds to wait before the next attempt. Throws the error that is final. */
  waitAfter(error: unknown, gainedBytes: number): number {
    if (error instanceof NetError) throw error;
    if (isUnsendable(error)) throw new NetError('bad_url', this.#url, 'cannot be sent', { cause: error });
    const failed = error instanceof AttemptError ? error : undefined;
    if (failed?.wrongLength === true && ++this.#wrongLengths >= maxWrongLengths) {
      throw new NetError('protocol', this.#url, failed.message, { cause: error });
    }
    this.#failures = gainedBytes >= goodPiece ? 1 : this.#failures + 1;
    if (this.#failures >= this.#tuning.attempts) {
      const last = error instanceof Error ? error.message : String(error);
      const status = failed?.status;
      throw new NetError(
        'attempts_exhausted',
        this.#url,
        `gave up after ${this.#failures} attempts: ${last}`,
        {
          cause: error,
          ...(status === undefined ? {} : { status }),
        },
      );
    }
    const { backoffBaseMs, backoffMaxMs, retryAfterMaxMs } = this.#tuning;
    const wait = backoffMs(this.#failures, backoffBaseMs, backoffMaxMs, this.#random);
    return Math.max(wait, Math.min(failed?.retryAfterMs ?? 0, retryAfterMaxMs));
  }
}

/** The HTTP library says that the request cannot be sent, whoever answers. */
function isUnsendable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'UND_ERR_INVALID_ARG';
}
