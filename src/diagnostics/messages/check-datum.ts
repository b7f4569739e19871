import { MessageError } from './message-error.ts';
import { isUnion, type Schema } from './schemas.ts';

/** Longest varint: ten bytes of seven bits hold 64. */
const maxVarintBytes = 10;

/**
 * Walks one datum by its schema without making anything of it, and tells where it ends. Every length and count is checked
 * against the bytes that are left, so that damaged or hostile bytes cost no more than their own length.
 * Errors: MessageError `malformed`.
 */
export function checkDatum(schema: Schema, buffer: Buffer, offset: number): number {
  const walk = new Walk(buffer, offset);
  walk.datum(schema);
  return walk.at;
}

class Walk {
  at: number;
  readonly #buffer: Buffer;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  datum(schema: Schema): void {
    if (schema === 'int') this.#int();
    else if (schema === 'long') this.#long();
    else if (schema === 'float') this.#skip(4);
    else if (schema === 'double') this.#skip(8);
    else if (schema === 'string') this.#skip(this.#length());
    else if (schema === 'boolean') this.#boolean();
    else if (isUnion(schema)) this.#union(schema);
    else if (schema.type === 'array') this.#array(schema.items);
    else for (const field of schema.fields) this.datum(field.type);
  }

  #boolean(): void {
    const byte = this.#buffer[this.at];
    if (byte !== 0 && byte !== 1) throw this.#malformed('a boolean is neither 0 nor 1');
    this.at++;
  }

  #union(branches: readonly Schema[]): void {
    const index = this.#long();
    const branch = index >= 0n && index < BigInt(branches.length) ? branches[Number(index)] : undefined;
    if (branch === undefined) throw this.#malformed(`a union has no branch ${index}`);
    this.datum(branch);
  }

  #array(items: Schema): void {
    for (;;) {
      let count = this.#long();
      if (count === 0n) return;
      if (count < 0n) {
        count = -count;
        // The size of the block in bytes, for readers that skip it.
        this.#length();
      }
      // Every item of our arrays takes a byte at least.
      if (count > BigInt(this.#buffer.length - this.at)) {
        throw this.#malformed(`an array of ${count} items does not fit into what is left`);
      }
      for (let i = 0n; i < count; i++) this.datum(items);
    }
  }

  #length(): number {
    const length = this.#long();
    if (length < 0n || length > BigInt(this.#buffer.length - this.at)) {
      throw this.#malformed(`a length of ${length} is more than is left`);
    }
    return Number(length);
  }

  #int(): void {
    const value = this.#long();
    if (value !== BigInt.asIntN(32, value)) throw this.#malformed(`${value} is no 32-bit integer`);
  }

  #long(): bigint {
    // Nearly all are short: a bigint for each byte would cost more than all the rest.
    let low = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return BigInt((low >>> 1) ^ -(low & 1));
    }
    let value = BigInt(low);
    for (let i = 4; i < maxVarintBytes; i++) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) break;
        return (value >> 1n) ^ -(value & 1n);
      }
    }
    throw this.#malformed('an integer has more than 64 bits');
  }

  #byte(): number {
    const byte = this.#buffer[this.at];
    if (byte === undefined) throw this.#malformed('the bytes end too early');
    this.at++;
    return byte;
  }

  #skip(bytes: number): void {
    if (bytes > this.#buffer.length - this.at) throw this.#malformed('the bytes end too early');
    this.at += bytes;
  }

  #malformed(what: string): MessageError {
    return new MessageError('malformed', `at byte ${this.at}: ${what}`);
  }
}
