import { MessageError } from './message-error.ts';

/** A long as Avro writes it: zig-zag, seven bits a byte. For lengths and counts, which are safe integers. */
export function writeLong(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Reads a long that must be a safe integer. Errors: MessageError `malformed`. */
export function readLong(buffer: Buffer, offset: number): { readonly value: number; readonly end: number } {
  let raw = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = buffer[offset + i];
    if (byte === undefined) throw new MessageError('malformed', `at byte ${offset}: the bytes end too early`);
    raw |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte >= 0x80) continue;
    const value = Number((raw >> 1n) ^ -(raw & 1n));
    if (!Number.isSafeInteger(value)) break;
    return { value, end: offset + i + 1 };
  }
  throw new MessageError('malformed', `at byte ${offset}: an integer is too large to be a length`);
}
