import type { ServiceError } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { BrokerError, type BrokerErrorCode } from '#diagnostics/sources/vss-broker.ts';

const codes: Readonly<Partial<Record<status, BrokerErrorCode>>> = {
  [status.UNAUTHENTICATED]: 'unauthenticated',
  [status.PERMISSION_DENIED]: 'denied',
  [status.NOT_FOUND]: 'unknown_signal',
  [status.INVALID_ARGUMENT]: 'refused',
  [status.OUT_OF_RANGE]: 'refused',
  [status.UNIMPLEMENTED]: 'unsupported',
};

const words: Readonly<Record<BrokerErrorCode, string>> = {
  unreachable: 'no answer',
  unauthenticated: 'the token is refused (diagnostics.kuksa.token_file)',
  denied: 'the token does not allow this',
  unknown_signal: 'an unknown signal',
  refused: 'the request is refused as invalid',
  unsupported: 'no kuksa.val.v2 there: a databroker older than 0.5, or something else',
  configuration: '',
};

const maxDetailLength = 300;

/** The gRPC status of a failed call in our words. What is not in the table above may pass: `unreachable`. */
export function brokerErrorFrom(error: unknown, method: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const { code, details } = error as Partial<ServiceError>;
  const ours = (code === undefined ? undefined : codes[code]) ?? 'unreachable';
  const detail = (details ?? String(error)).replace(/\p{Cc}+/gu, ' ').slice(0, maxDetailLength);
  const name = code === undefined ? '' : `${status[code] ?? code}: `;
  return new BrokerError(ours, `${method}: ${words[ours]} (${name}${detail})`, { cause: error });
}
