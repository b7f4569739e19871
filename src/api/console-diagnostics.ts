import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { CallContext } from '#ecu/ecu.ts';
import type { Diagnostics, Signal } from '#gen/ota/console/v1/types_pb.ts';
import type { ConsoleClient } from './console-client.ts';

/** How diagnostics of one ECU fare, as its console tells it. Counts are since its daemon began; sizes are in bytes. */
export type DiagnosticsReport = Omit<Diagnostics, '$typeName' | '$unknown'>;

/** The latest value of one VSS signal, as a console tells it. */
export interface ConsoleSignal {
  readonly path: string;
  readonly datatype: string;
  /** Empty when it has none. */
  readonly unit: string;
  /** Undefined when there is none. */
  readonly value: ConsoleValue | undefined;
  /** RFC 3339; undefined when the console does not say it. */
  readonly time: string | undefined;
}
export type ConsoleValue = boolean | number | string | bigint | readonly string[] | readonly number[];

/** Throws ConsoleError. */
export async function readDiagnostics(
  client: ConsoleClient,
  call: CallContext,
): Promise<DiagnosticsReport | undefined> {
  return (await client.ask('getDiagnostics', {}, call)).diagnostics;
}

const pageSize = 1000;

/** Every signal that has a value and whose path has `query` in it. Throws ConsoleError. */
export async function listSignals(
  client: ConsoleClient,
  query: string,
  call: CallContext,
): Promise<readonly ConsoleSignal[]> {
  const signals: ConsoleSignal[] = [];
  let pageToken = '';
  do {
    const page = await client.ask('listSignals', { query, pageSize, pageToken }, call);
    signals.push(...page.signals.map(signalFromWire));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return signals;
}

/** The latest values of these paths, and then what changes, in lists that may be empty. Ends as `watch` does. */
export async function* watchSignals(
  client: ConsoleClient,
  request: { readonly paths: readonly string[]; readonly intervalMs: number },
  signal: AbortSignal,
): AsyncGenerator<readonly ConsoleSignal[], void, void> {
  const { paths, intervalMs } = request;
  for await (const { signals } of client.watch('watchSignals', { paths: [...paths], intervalMs }, signal)) {
    yield signals.map(signalFromWire);
  }
}

function signalFromWire({ path, datatype, unit, value, time }: Signal): ConsoleSignal {
  return { path, datatype, unit, value: valueFromWire(value), time: textOf(time) };
}

function valueFromWire(value: Signal['value']): ConsoleValue | undefined {
  const content = value?.value;
  switch (content?.case) {
    case 'texts':
    case 'numbers':
      return content.value.values;
    default:
      // Kinds of newer consoles are no value.
      return content?.value;
  }
}

function textOf(time: Signal['time']): string | undefined {
  if (time === undefined) return undefined;
  const date = timestampDate(time);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
