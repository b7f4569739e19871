import { MessageError } from './message-error.ts';
import type { Scalar, Value } from './types.ts';

/** The datatypes of VSS that are not structs. */
export const vssScalarTypes = [
  'boolean',
  'string',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float',
  'double',
] as const;
export type VssScalarType = (typeof vssScalarTypes)[number];
export type VssDatatype = VssScalarType | `${VssScalarType}[]`;

/** What a signal's value is in this program. Integers may be either, as long as they are exact. */
export type VssScalar = boolean | number | bigint | string;
export type VssValue = VssScalar | readonly VssScalar[];

/** Undefined for a struct or a typing error. */
export function vssDatatype(text: string): VssDatatype | undefined {
  const item = text.endsWith('[]') ? text.slice(0, -2) : text;
  return vssScalarTypes.some((type) => type === item) ? (text as VssDatatype) : undefined;
}

const integers: Readonly<
  Partial<Record<VssScalarType, { readonly bits: number; readonly signed: boolean }>>
> = {
  int8: { bits: 8, signed: true },
  int16: { bits: 16, signed: true },
  int32: { bits: 32, signed: true },
  int64: { bits: 64, signed: true },
  uint8: { bits: 8, signed: false },
  uint16: { bits: 16, signed: false },
  uint32: { bits: 32, signed: false },
  uint64: { bits: 64, signed: false },
};

/**
 * A signal's value as a message carries it; the datatype alone decides the branch: up to 32 signed bits are `int`, more
 * are `long`, a uint64 beyond 63 bits is a decimal `string`. Errors: MessageError `invalid_value`.
 */
export function toValue(datatype: VssDatatype, value: VssValue): Value {
  const isArray = datatype.endsWith('[]');
  const type = (isArray ? datatype.slice(0, -2) : datatype) as VssScalarType;
  if (isArray !== Array.isArray(value)) throw mismatch(datatype, value);
  if (!isArray) return { item: toScalar(type, value as VssScalar) };
  return { item: { array: (value as readonly VssScalar[]).map((item) => toScalar(type, item)) } };
}

function toScalar(type: VssScalarType, value: VssScalar): Scalar {
  if (type === 'boolean') {
    if (typeof value !== 'boolean') throw mismatch(type, value);
    return { boolean: value };
  }
  if (type === 'string') {
    if (typeof value !== 'string') throw mismatch(type, value);
    return { string: value };
  }
  if (type === 'float' || type === 'double') {
    if (typeof value !== 'number') throw mismatch(type, value);
    return type === 'float' ? { float: value } : { double: value };
  }
  const exact = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined;
  const range = integers[type];
  if (exact === undefined || range === undefined) throw mismatch(type, value);
  const { bits, signed } = range;
  if ((signed ? BigInt.asIntN(bits, exact) : BigInt.asUintN(bits, exact)) !== exact)
    throw mismatch(type, value);
  if (bits < 32 || (bits === 32 && signed)) return { int: Number(exact) };
  return BigInt.asIntN(64, exact) === exact ? { long: exact } : { string: exact.toString() };
}

/**
 * The other way round, tolerant as a reader must be: other writers use `double` for every float and `int` or `long` for
 * every integer. Errors: MessageError `invalid_value`.
 */
export function fromValue(datatype: VssDatatype, { item }: Value): VssValue {
  const isArray = datatype.endsWith('[]');
  const type = (isArray ? datatype.slice(0, -2) : datatype) as VssScalarType;
  if (!isArray && !('array' in item)) return fromScalar(type, item);
  if (isArray && 'array' in item) return item.array.map((scalar) => fromScalar(type, scalar));
  throw mismatch(datatype, item);
}

function fromScalar(type: VssScalarType, scalar: Scalar): VssScalar {
  const [raw] = Object.values(scalar) as [VssScalar];
  if (type === 'boolean' || type === 'string') {
    if (typeof raw !== type) throw mismatch(type, raw);
    return raw;
  }
  if (type === 'float' || type === 'double') {
    if (typeof raw === 'bigint') return Number(raw);
    if (typeof raw !== 'number') throw mismatch(type, raw);
    return raw;
  }
  const wide = type === 'int64' || type === 'uint64';
  const exact = typeof raw === 'string' && type === 'uint64' && /^\d{1,20}$/.test(raw) ? BigInt(raw) : raw;
  // Checks the range.
  const [checked] = Object.values(toScalar(type, typeof exact === 'string' ? Number.NaN : exact));
  if (checked === undefined || typeof checked === 'boolean') throw mismatch(type, raw);
  return wide ? BigInt(checked) : Number(checked);
}

function mismatch(type: string, value: unknown): MessageError {
  const shown =
    typeof value === 'bigint'
      ? String(value)
      : JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
  return new MessageError('invalid_value', `${shown.slice(0, 60)} is no ${type}`);
}
