/** How hard the source tries. Times are milliseconds. */
export interface HttpTuning {
  /** Connections to one origin at a time; further requests wait. */
  readonly connections: number;
  /** Attempts of one request; one that brought a good piece of the body starts the count anew. */
  readonly attempts: number;
  /** A retry waits a random time up to `backoffBaseMs * 2^(retry - 1)`, at most `backoffMaxMs` (full jitter). */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** The longest that a server's Retry-After is obeyed. */
  readonly retryAfterMaxMs: number;
  /** Everything fails when no request received a byte for this long. */
  readonly noProgressTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** From the request to the answer's head. */
  readonly headersTimeoutMs: number;
  /** Between two pieces of a body. */
  readonly bodyTimeoutMs: number;
}

/** Existing clients connect within 16 s, read within 32 s and give up after 600 s without a byte. */
export const defaultTuning: HttpTuning = {
  connections: 16,
  attempts: 30,
  backoffBaseMs: 200,
  backoffMaxMs: 15_000,
  retryAfterMaxMs: 60_000,
  noProgressTimeoutMs: 600_000,
  connectTimeoutMs: 16_000,
  headersTimeoutMs: 32_000,
  bodyTimeoutMs: 32_000,
};
