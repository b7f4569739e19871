/** Why a call to a daemon has no answer. */
export type OtaClientErrorCode =
  /** Nothing answers at the address, or the connection broke. */
  | 'unreachable'
  /** A daemon is there and did not answer in time. */
  | 'timeout'
  /** The daemon does not know its own status yet; it has just started. */
  | 'starting'
  /** The daemon, or what answers there, does not have this call. */
  | 'unsupported'
  /** The daemon answered with an error, or with bytes that are no answer. */
  | 'refused'
  /** The caller stopped waiting. */
  | 'cancelled';

/** A call to a daemon that ended without an answer. `message` is for people and says what to do. */
export class OtaClientError extends Error {
  override readonly name = 'OtaClientError';
  readonly code: OtaClientErrorCode;

  constructor(code: OtaClientErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may have an answer in a moment: daemons restart during an update. */
  get isPassing(): boolean {
    return this.code === 'unreachable' || this.code === 'timeout' || this.code === 'starting';
  }
}
