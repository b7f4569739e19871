import { status } from '@grpc/grpc-js';

/** Ends a call with a gRPC code. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** What grpc-js ends a call with. */
export function failure(error: unknown): { readonly code: status; readonly details: string } {
  if (error instanceof Refused) return { code: error.code, details: error.message };
  return { code: status.INVALID_ARGUMENT, details: (error as Error).message };
}
