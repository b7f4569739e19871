import { decodeMessage, encodeMessage } from './codec.ts';
import { fingerprintOf, messageWith } from './fingerprint.ts';
import { MessageError } from './message-error.ts';
import type { MessageName, MessageTypes } from './types.ts';

const marker = Buffer.from([0xc3, 0x01]);
const headBytes = 10;

/** A message that tells its schema by fingerprint. @see Avro 1.11 specification, "Single-object encoding" */
export function encodeSingleObject<Name extends MessageName>(
  name: Name,
  message: MessageTypes[Name],
): Buffer {
  const head = Buffer.alloc(headBytes);
  marker.copy(head);
  head.writeBigUInt64LE(fingerprintOf(name), marker.length);
  return Buffer.concat([head, encodeMessage(name, message)]);
}

/** A message with its name. */
export type NamedMessage = {
  [Name in MessageName]: { readonly name: Name; readonly message: MessageTypes[Name] };
}[MessageName];

/** Errors: MessageError `malformed`, `unknown_schema`. */
export function decodeSingleObject(bytes: Uint8Array): NamedMessage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < headBytes || !buffer.subarray(0, marker.length).equals(marker)) {
    throw new MessageError('malformed', 'not a single-object encoding: it does not begin with C3 01');
  }
  const fingerprint = buffer.readBigUInt64LE(marker.length);
  const name = messageWith(fingerprint);
  if (name === undefined) {
    throw new MessageError('unknown_schema', `no message has the fingerprint ${fingerprint.toString(16)}`);
  }
  return { name, message: decodeMessage(name, buffer.subarray(headBytes)) } as NamedMessage;
}
