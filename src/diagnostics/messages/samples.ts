import type { Message, MessageName, MessageTypes, Scalar, Value } from './types.ts';

/** One value out of any message, as tables show it. */
export interface Sample {
  /** Empty in messages that do not name their signal. */
  readonly signal: string;
  /** Microseconds since 1970; undefined in messages without a time. */
  readonly ts: bigint | undefined;
  readonly value: Scalar | readonly Scalar[];
  /** The container that it came in. */
  readonly from: MessageName;
}

/** Every value of a message, in its order. */
export function* samplesOf<Name extends MessageName>(
  name: Name,
  message: MessageTypes[Name],
): Generator<Sample> {
  const any = { [name]: message } as Partial<MessageTypes>;
  if (any.MessageSequence !== undefined) {
    for (const one of any.MessageSequence.seq) yield* ofMessage(one);
  } else if (any.Message !== undefined) yield* ofMessage(any.Message);
  else if (any.TimeSeries !== undefined) {
    const { signal_identifier: signal, items } = any.TimeSeries;
    for (const { ts, value } of items) yield { signal, ts, value: itemOf(value), from: name };
  } else if (any.Snapshot !== undefined) {
    for (const record of any.Snapshot.values) yield* ofRecord(name, record);
  } else if (any.Value !== undefined) yield* ofRecord(name, { value: any.Value });
  else if (any.Record !== undefined) {
    yield { signal: '', ts: undefined, value: any.Record.value, from: name };
  } else yield* ofRecord(name, message as { value: Value });
}

function ofMessage({ item }: Message): Generator<Sample> {
  if ('TimeSeries' in item) return samplesOf('TimeSeries', item.TimeSeries);
  if ('Snapshot' in item) return samplesOf('Snapshot', item.Snapshot);
  return samplesOf('SpecifiedTimeStampedRecord', item.SpecifiedTimeStampedRecord);
}

function* ofRecord(
  from: MessageName,
  record: { readonly signal_identifier?: string; readonly ts?: bigint; readonly value: Value },
): Generator<Sample> {
  yield { signal: record.signal_identifier ?? '', ts: record.ts, value: itemOf(record.value), from };
}

function itemOf({ item }: Value): Sample['value'] {
  return 'array' in item ? item.array : item;
}
