/** Why bytes are no message, or a value cannot be one. Closed. */
export type MessageErrorCode =
  /** A value does not fit its type: out of range, of another type, without a branch. */
  | 'invalid_value'
  /** Bytes that the schema does not allow, or that end too early or too late. */
  | 'malformed'
  /** A schema, or a fingerprint of one, that is none of ours. */
  | 'unknown_schema'
  /** A container file with a codec that is not supported. */
  | 'unknown_codec'
  /** More than a limit allows. */
  | 'too_large';

/** A message that could not be written or read. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly code: MessageErrorCode;

  constructor(code: MessageErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
