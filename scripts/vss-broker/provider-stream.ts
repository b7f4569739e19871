import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Metadata, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { ErrorCode, type Value } from '../../src/gen/kuksa/val/v2/types_pb.ts';
import {
  OpenProviderStreamRequestSchema,
  OpenProviderStreamResponseSchema,
  type PublishValuesRequest,
} from '../../src/gen/kuksa/val/v2/val_pb.ts';
import { acceptable } from './accept-point.ts';
import { failure, Refused } from './refused.ts';
import type { BrokerEntry, SignalTable } from './signal-table.ts';

const errorCodes: Readonly<Partial<Record<status, ErrorCode>>> = {
  [status.NOT_FOUND]: ErrorCode.NOT_FOUND,
  [status.INVALID_ARGUMENT]: ErrorCode.INVALID_ARGUMENT,
};

type Call = ServerDuplexStream<Buffer, Buffer>;
type Answer = MessageInitShape<typeof OpenProviderStreamResponseSchema>['action'];

/** OpenProviderStream: claim signals, then publish batches of them. Only what is wrong with a batch is answered. */
export function provideSignals(
  table: SignalTable,
  enter: (name: string, metadata: Metadata) => boolean,
): (call: Call) => void {
  const claimed = new Map<BrokerEntry, Call>();
  return (call) => {
    const answer = (action: Answer): void => {
      const message = create(OpenProviderStreamResponseSchema, action === undefined ? {} : { action });
      call.write(Buffer.from(toBinary(OpenProviderStreamResponseSchema, message)));
    };
    const release = (): void => {
      for (const [entry, owner] of claimed) if (owner === call) claimed.delete(entry);
    };
    try {
      if (!enter('OpenProviderStream', call.metadata)) return;
    } catch (error) {
      call.emit('error', failure(error));
      return;
    }
    call.on('data', (bytes: Buffer) => {
      try {
        const { action } = fromBinary(OpenProviderStreamRequestSchema, bytes);
        if (action.case === 'provideSignalRequest') {
          claim(Object.keys(action.value.signalsSampleIntervals).map(Number));
          answer({ case: 'provideSignalResponse', value: {} });
        } else if (action.case === 'publishValuesRequest') publish(action.value);
        else if (action.case === 'provideActuationRequest')
          answer({ case: 'provideActuationResponse', value: {} });
      } catch (error) {
        release();
        call.emit('error', failure(error));
      }
    });
    call.on('end', () => {
      release();
      call.end();
    });
    call.on('cancelled', release);

    function claim(ids: readonly number[]): void {
      for (const id of ids) {
        const entry = table.byId(id);
        if (entry === undefined) throw new Refused(status.NOT_FOUND, `${id} is unknown`);
        const owner = claimed.get(entry);
        if (owner !== undefined && owner !== call)
          throw new Refused(status.ALREADY_EXISTS, `${entry.leaf.path} has another provider`);
        claimed.set(entry, call);
      }
    }

    function publish({ requestId, dataPoints }: PublishValuesRequest): void {
      if (![...claimed.values()].includes(call)) throw new Refused(status.ABORTED, 'nothing is claimed yet');
      const batch: [BrokerEntry, Value | undefined][] = [];
      const wrong: Record<string, { code: ErrorCode; message: string }> = {};
      for (const [key, point] of Object.entries(dataPoints)) {
        const entry = table.byId(Number(key));
        try {
          if (entry === undefined) throw new Refused(status.NOT_FOUND, `${key} is unknown`);
          if (claimed.get(entry) !== call)
            throw new Refused(status.ALREADY_EXISTS, `${entry.leaf.path} is not claimed by this stream`);
          batch.push([entry, acceptable(entry, point)]);
        } catch (error) {
          const { code, details } = failure(error);
          if (code === status.ALREADY_EXISTS) throw error;
          wrong[key] = { code: errorCodes[code] ?? ErrorCode.INVALID_ARGUMENT, message: details };
        }
      }
      table.publish(batch);
      if (Object.keys(wrong).length > 0)
        answer({ case: 'publishValuesResponse', value: { requestId, status: wrong } });
    }
  };
}
