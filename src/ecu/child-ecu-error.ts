import type { EcuId } from '#domain/ecu.ts';

/** Why a call to a child has no answer that can be used. */
export type ChildEcuErrorCode =
  /** It does not have this call: an older daemon. */
  | 'unimplemented'
  /** It did not answer in time. */
  | 'deadline'
  /** Nothing answers at its address, the connection broke, or it is still starting. */
  | 'unavailable'
  /** Its answer is larger than is taken; or the request is for it, or it has too many at once. */
  | 'too_large'
  /** Its answer is not the message of the contract. */
  | 'malformed'
  /** It refused the call, or the call was given up on this side. */
  | 'other';

const words: Record<ChildEcuErrorCode, string> = {
  unimplemented: 'does not support this request (UNIMPLEMENTED)',
  deadline: 'did not answer in time',
  unavailable: 'is not reachable or still starting',
  too_large: 'gave or was given more than it can take (RESOURCE_EXHAUSTED)',
  malformed: 'gave an answer that cannot be read',
  other: 'did not take the request',
};

/** A child that harms only its own entry. `message` is for people; what the peer wrote is in `cause`. */
export class ChildEcuError extends Error {
  override readonly name = 'ChildEcuError';
  readonly ecuId: EcuId;
  readonly code: ChildEcuErrorCode;

  constructor(ecuId: EcuId, code: ChildEcuErrorCode, options?: { readonly cause?: unknown }) {
    super(`ECU ${ecuId} ${words[code]}`, options);
    this.ecuId = ecuId;
    this.code = code;
  }
}
