import { status } from '@grpc/grpc-js';
import { readingFromWire } from '../../src/api/kuksa/wire-values.ts';
import { refusalOf } from '../../src/diagnostics/signals/vss-catalog.ts';
import type { Datapoint, Value } from '../../src/gen/kuksa/val/v2/types_pb.ts';
import { Refused } from './refused.ts';
import type { BrokerEntry } from './signal-table.ts';

/** The value of a published data point, judged by the catalog. Errors: Refused. */
export function acceptable(entry: BrokerEntry, point: Datapoint | undefined): Value | undefined {
  if (point === undefined) throw new Refused(status.INVALID_ARGUMENT, 'no data point');
  const reading = readingFromWire(entry.leaf.datatype, point.value);
  if (reading.kind === 'refused') throw new Refused(status.INVALID_ARGUMENT, reading.why);
  if (reading.kind === 'absent') return undefined;
  const refusal = refusalOf(entry.leaf, reading.value);
  if (refusal !== undefined) throw new Refused(status.INVALID_ARGUMENT, refusal);
  return point.value;
}
