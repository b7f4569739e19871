/** Why a call to a console has no answer. */
export type ConsoleErrorCode =
  /** Nothing answers at the address, or the connection broke. */
  | 'unreachable'
  /** A console is there and did not answer in time. */
  | 'timeout'
  /** The daemon is starting or ending. */
  | 'starting'
  /** What answers there has a certificate that is not trusted, or speaks no TLS where it should. */
  | 'insecure'
  /** No credentials, or unknown or expired ones. */
  | 'unauthenticated'
  /** The caller's role does not allow it. */
  | 'denied'
  /** Too many requests or watchers. */
  | 'busy'
  /** The wanted place in the journal is not there any more. */
  | 'gone'
  /** There is no such ECU or thing. */
  | 'not_found'
  /** The daemon or the vehicle is in no state for it. */
  | 'precondition'
  /** A field of the request is wrong. */
  | 'invalid'
  /** What answers there is no console, or an older one without this call. */
  | 'unsupported'
  /** The console answered with another error. */
  | 'refused'
  /** The caller stopped waiting. */
  | 'cancelled';

/** A call to a console that ended without an answer. `message` is for people and says what to do. */
export class ConsoleError extends Error {
  override readonly name = 'ConsoleError';
  readonly code: ConsoleErrorCode;

  constructor(code: ConsoleErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may have an answer in a moment: daemons restart during an update. */
  get isPassing(): boolean {
    return ['unreachable', 'timeout', 'starting', 'busy'].includes(this.code);
  }

  /** Whether the caller was not let in. */
  get isRefusedEntry(): boolean {
    return this.code === 'unauthenticated' || this.code === 'denied';
  }
}
