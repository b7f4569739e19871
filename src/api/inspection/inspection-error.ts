/** Why something about an ECU cannot be told. */
export type InspectionErrorCode =
  /** No such ECU below this one, or no such thing on it. */
  | 'not_found'
  /** An ECU on the way does not answer. */
  | 'unavailable'
  /** An ECU on the way speaks only OtaClientV2. */
  | 'unimplemented'
  | 'deadline'
  | 'other';

/** Something about an ECU cannot be told. `message` is for people. */
export class InspectionError extends Error {
  override readonly name = 'InspectionError';
  readonly code: InspectionErrorCode;

  constructor(code: InspectionErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
