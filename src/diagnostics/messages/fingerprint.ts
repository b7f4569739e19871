import { messageNames, schemaText } from './schemas.ts';
import type { MessageName } from './types.ts';

/** The value of an empty text. @see Avro 1.11 specification, "Schema Fingerprints" */
const empty = 0xc15d213aa4d7a795n;

/** CRC-64-AVRO of a schema in Parsing Canonical Form. avsc has no such algorithm. */
export function crc64(canonicalForm: string): bigint {
  let fingerprint = empty;
  for (const byte of Buffer.from(canonicalForm, 'utf8')) {
    fingerprint ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      fingerprint = (fingerprint >> 1n) ^ (fingerprint & 1n ? empty : 0n);
    }
  }
  return fingerprint;
}

/** CRC-64-AVRO of a message's schema. */
export function fingerprintOf(name: MessageName): bigint {
  return crc64(schemaText(name));
}

/** The message whose schema has this fingerprint; undefined when none has. */
export function messageWith(fingerprint: bigint): MessageName | undefined {
  return messageNames.find((name) => fingerprintOf(name) === fingerprint);
}
