import { type VssDatatype, vssScalarTypes } from '#diagnostics/messages/vss-value.ts';
import { DataType } from '#gen/kuksa/val/v2/types_pb.ts';

const scalars: Readonly<Record<(typeof vssScalarTypes)[number], readonly [DataType, DataType]>> = {
  string: [DataType.STRING, DataType.STRING_ARRAY],
  boolean: [DataType.BOOLEAN, DataType.BOOLEAN_ARRAY],
  int8: [DataType.INT8, DataType.INT8_ARRAY],
  int16: [DataType.INT16, DataType.INT16_ARRAY],
  int32: [DataType.INT32, DataType.INT32_ARRAY],
  int64: [DataType.INT64, DataType.INT64_ARRAY],
  uint8: [DataType.UINT8, DataType.UINT8_ARRAY],
  uint16: [DataType.UINT16, DataType.UINT16_ARRAY],
  uint32: [DataType.UINT32, DataType.UINT32_ARRAY],
  uint64: [DataType.UINT64, DataType.UINT64_ARRAY],
  float: [DataType.FLOAT, DataType.FLOAT_ARRAY],
  double: [DataType.DOUBLE, DataType.DOUBLE_ARRAY],
};

const byWire = new Map<DataType, VssDatatype>(
  vssScalarTypes.flatMap((type): [DataType, VssDatatype][] => [
    [scalars[type][0], type],
    [scalars[type][1], `${type}[]`],
  ]),
);
const byName = new Map([...byWire].map(([wire, name]) => [name, wire]));

/** Undefined for time stamps, and for numbers that we do not know. */
export function datatypeFromWire(wire: DataType): VssDatatype | undefined {
  return byWire.get(wire);
}

export function datatypeToWire(datatype: VssDatatype): DataType {
  return byName.get(datatype) ?? DataType.UNSPECIFIED;
}
