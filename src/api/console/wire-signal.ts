import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { VssScalar, VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { type Signal, SignalSchema, type SignalValueSchema } from '#gen/ota/console/v1/types_pb.ts';

type WireValue = NonNullable<MessageInitShape<typeof SignalValueSchema>['value']>;

/** Longest texts and lists that are told of a value. */
const maxText = 4096;
const maxItems = 1024;

/** The latest value of a signal; undefined when it has none. */
export function signalToWire(store: SignalStore, path: string): Signal | undefined {
  const latest = store.latest(path);
  if (latest === undefined) return undefined;
  return create(SignalSchema, {
    path,
    datatype: store.datatypeOf(path) ?? '',
    unit: store.unitOf(path) ?? '',
    value: { value: valueToWire(latest.value) },
    time: timestampFromMs(Number(latest.ts / 1000n)),
  });
}

function valueToWire(value: VssValue): WireValue {
  switch (typeof value) {
    case 'boolean':
      return { case: 'boolean', value };
    case 'number':
      return { case: 'number', value };
    case 'string':
      return { case: 'text', value: cut(value) };
    case 'bigint':
      return integerToWire(value);
    default:
      return listToWire(value.slice(0, maxItems));
  }
}

/** What a double holds exactly is a number, whatever its datatype: plots and scripts need only one kind. */
function integerToWire(value: bigint): WireValue {
  if (Number.isSafeInteger(Number(value))) return { case: 'number', value: Number(value) };
  if (BigInt.asIntN(64, value) === value) return { case: 'integer', value };
  return { case: 'unsigned', value: BigInt.asUintN(64, value) };
}

/** A list of numbers where all are exact as such; else of texts. */
function listToWire(items: readonly VssScalar[]): WireValue {
  const numbers = items.map((item) => (typeof item === 'bigint' ? Number(item) : item));
  const exact = numbers.every(
    (item, at) => typeof item === 'number' && (typeof items[at] === 'number' || Number.isSafeInteger(item)),
  );
  if (exact && items.length > 0) return { case: 'numbers', value: { values: numbers as number[] } };
  return { case: 'texts', value: { values: items.map((item) => cut(String(item))) } };
}

function cut(text: string): string {
  return text.length <= maxText ? text.toWellFormed() : `${text.slice(0, maxText - 1).toWellFormed()}…`;
}
