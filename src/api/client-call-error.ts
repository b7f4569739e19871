import type { ServiceError } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { OtaClientErrorCode } from './client-error.ts';
import { OtaClientError } from './client-error.ts';

/** What is known about the call that failed. */
export interface FailedCall {
  /** `host:port`. */
  readonly address: string;
  readonly method: string;
  readonly budgetMs: number;
  /** Whether the connection stood when the call ended. */
  readonly connected: boolean;
}

const startHint = 'is it running? (ota serve)';
const maxDetailLength = 500;

/** Text from a peer, short and without control characters. */
function peerText(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, maxDetailLength);
}

/**
 * The gRPC status of a failed call in our words:
 *   UNAVAILABLE, no connection         unreachable
 *   UNAVAILABLE, connection stands     starting (the daemon itself said so)
 *   DEADLINE_EXCEEDED                  unreachable without a connection, else timeout
 *   UNIMPLEMENTED                      unsupported
 *   CANCELLED                          cancelled
 *   everything else                    refused
 */
export function clientErrorFrom(error: ServiceError, call: FailedCall): OtaClientError {
  const make = (code: OtaClientErrorCode, message: string): OtaClientError =>
    new OtaClientError(code, message, { cause: error });
  const seconds = `${Math.round(call.budgetMs / 100) / 10} s`;
  if (error.code === status.UNAVAILABLE) {
    return call.connected
      ? make('starting', `the OTA daemon at ${call.address} is still starting: ${peerText(error.details)}`)
      : make('unreachable', `no OTA daemon answers at ${call.address}; ${startHint}`);
  }
  if (error.code === status.DEADLINE_EXCEEDED) {
    return call.connected
      ? make('timeout', `the OTA daemon at ${call.address} did not answer ${call.method} within ${seconds}`)
      : make('unreachable', `no OTA daemon answers at ${call.address} within ${seconds}; ${startHint}`);
  }
  if (error.code === status.UNIMPLEMENTED) {
    return make('unsupported', `the daemon at ${call.address} does not support ${call.method}`);
  }
  if (error.code === status.CANCELLED) {
    return make('cancelled', `${call.method} at ${call.address} was stopped`);
  }
  const word = status[error.code] ?? 'UNKNOWN';
  return make('refused', `${call.method} failed at ${call.address}: ${word}: ${peerText(error.details)}`);
}
