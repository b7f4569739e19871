import type { MessageInitShape } from '@bufbuild/protobuf';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import {
  toValue,
  type VssDatatype,
  type VssScalar,
  type VssScalarType,
  type VssValue,
} from '#diagnostics/messages/vss-value.ts';
import type { Value, ValueSchema } from '#gen/kuksa/val/v2/types_pb.ts';

type TypedValue = Value['typedValue'];
type Case = Exclude<TypedValue['case'], undefined>;

/** The member of `Value` that a datatype travels in: 8 and 16 bits as 32. */
const members: Readonly<Record<VssScalarType, readonly [Case, Case]>> = {
  string: ['string', 'stringArray'],
  boolean: ['bool', 'boolArray'],
  int8: ['int32', 'int32Array'],
  int16: ['int32', 'int32Array'],
  int32: ['int32', 'int32Array'],
  int64: ['int64', 'int64Array'],
  uint8: ['uint32', 'uint32Array'],
  uint16: ['uint32', 'uint32Array'],
  uint32: ['uint32', 'uint32Array'],
  uint64: ['uint64', 'uint64Array'],
  float: ['float', 'floatArray'],
  double: ['double', 'doubleArray'],
};

export type WireReading =
  | { readonly kind: 'value'; readonly value: VssValue }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly why: string };

/** Only what is exactly of the datatype: the right member, in its range, and a number where there is to be one. */
export function readingFromWire(datatype: VssDatatype, wire: Value | undefined): WireReading {
  const typed = wire?.typedValue;
  if (typed?.case === undefined) return { kind: 'absent' };
  const { type, isArray } = partsOf(datatype);
  const expected = members[type][isArray ? 1 : 0];
  if (typed.case !== expected)
    return { kind: 'refused', why: `it came as ${typed.case}, not as ${expected}` };
  const value: VssValue = typeof typed.value === 'object' ? typed.value.values : typed.value;
  const items: readonly VssScalar[] = Array.isArray(value) ? value : [value as VssScalar];
  if (items.some((item) => Number.isNaN(item))) return { kind: 'refused', why: 'it is not a number' };
  try {
    // Holds the range of 8 and 16 bits.
    toValue(datatype, value);
  } catch (error) {
    if (error instanceof MessageError) return { kind: 'refused', why: error.message };
    throw error;
  }
  return { kind: 'value', value };
}

/** Errors: MessageError `invalid_value` when the value is not of the datatype. */
export function valueToWire(datatype: VssDatatype, value: VssValue): MessageInitShape<typeof ValueSchema> {
  toValue(datatype, value);
  const { type, isArray } = partsOf(datatype);
  const isWide = type === 'int64' || type === 'uint64';
  const fit = (item: VssScalar): VssScalar =>
    typeof item !== 'number' && typeof item !== 'bigint' ? item : isWide ? BigInt(item) : Number(item);
  const items = (Array.isArray(value) ? value : [value as VssScalar]).map(fit);
  const member = members[type][isArray ? 1 : 0];
  // The member was chosen by the datatype, and the value is of it: what TypeScript cannot put together.
  const typedValue = { case: member, value: isArray ? { values: items } : items[0] };
  return { typedValue } as MessageInitShape<typeof ValueSchema>;
}

function partsOf(datatype: VssDatatype): { readonly type: VssScalarType; readonly isArray: boolean } {
  const isArray = datatype.endsWith('[]');
  return { type: (isArray ? datatype.slice(0, -2) : datatype) as VssScalarType, isArray };
}
