import { Code, ConnectError } from '@connectrpc/connect';

/** What went wrong, for people: the vehicle's own words where it has some. */
export function problemOf(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  const said = rawMessage === '' ? '' : ` ${sentence(rawMessage)}`;
  switch (code) {
    case Code.Unauthenticated:
      return `The vehicle does not know this token.${said}`;
    case Code.PermissionDenied:
      return `Your role does not allow this.${said}`;
    case Code.ResourceExhausted:
      return `Too much at once.${said}`;
    case Code.Unavailable:
    case Code.Unknown:
      return 'The vehicle does not answer. It may be starting, or the connection is broken.';
    case Code.DeadlineExceeded:
      return 'The vehicle took too long to answer. Nothing is known of what it did: look at the journal.';
    case Code.Unimplemented:
      return 'This ECU cannot tell this: its client is older than this page.';
    case Code.Canceled:
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.AlreadyExists:
    case Code.FailedPrecondition:
    case Code.Aborted:
    case Code.OutOfRange:
    case Code.Internal:
    case Code.DataLoss:
      return said === '' ? 'The vehicle refused this without saying why.' : said.trim();
  }
}

export function isCode(error: unknown, ...codes: readonly Code[]): boolean {
  return codes.includes(ConnectError.from(error).code);
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
