import { Code, ConnectError } from '@connectrpc/connect';
import type { ConsoleErrorCode } from './console-error.ts';
import { ConsoleError } from './console-error.ts';

/** What is known about the call that failed. */
export interface FailedConsoleCall {
  readonly url: string;
  readonly method: string;
  /** Whether the caller sent a token. */
  readonly hasToken: boolean;
  /** How long was waited, in milliseconds. */
  readonly budgetMs: number;
  /** The caller's own wish to stop. */
  readonly signal: AbortSignal;
}

const maxDetailLength = 500;

/** Text from a peer, short and without control characters. */
function peerText(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, maxDetailLength);
}

/** Error codes of Node in an error and its causes. */
function nodeCodes(error: unknown): string[] {
  const codes: string[] = [];
  let at = error;
  for (let depth = 0; at instanceof Error && depth < 8; depth += 1) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    at = at.cause;
  }
  return codes;
}

/** OpenSSL's and Node's names for certificates that do not hold. */
const untrusted =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|INVALID_|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|UNABLE_TO_|CERT_|CRL_|ERR_TLS_CERT_)/;
const noTls = /^(ERR_SSL_|EPROTO$)/;

/** How a connection failed, where it was the connection that failed. */
function connectionError(error: unknown, { url }: FailedConsoleCall): ConsoleError | undefined {
  const codes = nodeCodes(error);
  const bad = codes.find((code) => untrusted.test(code));
  if (bad !== undefined) {
    const how = 'name the certificate of its authority with --ca-file';
    return new ConsoleError('insecure', `the certificate of ${url} is not trusted (${bad}); ${how}`, {
      cause: error,
    });
  }
  if (codes.some((code) => noTls.test(code))) {
    const text = `no TLS connection to ${url}: it may serve http, or want a client certificate (--cert-file, --key-file)`;
    return new ConsoleError('insecure', text, { cause: error });
  }
  if (codes.some((code) => code.startsWith('HPE_'))) {
    const text = `what answers at ${url} is no console of an OTA daemon; if it serves https, write https://`;
    return new ConsoleError('unsupported', text, { cause: error });
  }
  const gone = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH'];
  if (codes.some((code) => [...gone, 'ENETUNREACH', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code))) {
    const text = `no console answers at ${url}; is the daemon running (ota serve), and its option console.enabled true?`;
    return new ConsoleError('unreachable', text, { cause: error });
  }
  return undefined;
}

const tokenHint =
  'the daemon writes one for its own user to console/local-token in its state directory at every start, ' +
  'and the option console.tokens_file lists those of others; name yours with --token-file or $OTA_CONSOLE_TOKEN';

/** The codes of Connect in our words, and what to do. */
function answered(error: ConnectError, call: FailedConsoleCall): readonly [ConsoleErrorCode, string] {
  const { url, method } = call;
  const said = peerText(error.rawMessage);
  switch (error.code) {
    case Code.Unauthenticated: {
      const what = call.hasToken
        ? `the console at ${url} does not know this token: it may be of an earlier start of the daemon`
        : `the console at ${url} wants a token, and there is none`;
      return ['unauthenticated', `${what}; ${tokenHint}`];
    }
    case Code.PermissionDenied:
      return [
        'denied',
        `the console at ${url} does not allow ${method}: ${said}; use the token of an operator`,
      ];
    case Code.DeadlineExceeded:
      return [
        'timeout',
        `the console at ${url} did not answer ${method} within ${Math.round(call.budgetMs / 100) / 10} s`,
      ];
    case Code.Unavailable:
      return ['starting', `the daemon at ${url} is starting or ending: ${said}`];
    case Code.ResourceExhausted:
      return ['busy', `the console at ${url} has too much to do: ${said}; try again in a moment`];
    case Code.OutOfRange:
      return ['gone', said];
    case Code.NotFound:
      return ['not_found', said];
    case Code.FailedPrecondition:
      return ['precondition', said];
    case Code.InvalidArgument:
      return ['invalid', `${method} at ${url}: ${said}`];
    case Code.Unimplemented:
      return ['unsupported', `what answers at ${url} has no ${method}: ${said}`];
    case Code.Canceled:
      // Nobody here stopped it: the other side let the stream go.
      return ['unreachable', `the console at ${url} ended the call`];
    case Code.Aborted:
    case Code.AlreadyExists:
    case Code.DataLoss:
    case Code.Internal:
    case Code.Unknown:
      return ['refused', `${method} failed at ${url}: ${Code[error.code]}: ${said}`];
  }
}

/** Whatever a call to a console threw, as a ConsoleError. */
export function consoleErrorFrom(thrown: unknown, call: FailedConsoleCall): ConsoleError {
  if (thrown instanceof ConsoleError) return thrown;
  if (call.signal.aborted) {
    return new ConsoleError('cancelled', `${call.method} at ${call.url} was stopped`, { cause: thrown });
  }
  const connection = connectionError(thrown, call);
  if (connection !== undefined) return connection;
  const error = ConnectError.from(thrown);
  return new ConsoleError(...answered(error, call), { cause: thrown });
}
