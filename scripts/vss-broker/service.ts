import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { datatypeToWire } from '../../src/api/kuksa/datatypes.ts';
import { valueToWire } from '../../src/api/kuksa/wire-values.ts';
import type { LeafKind } from '../../src/diagnostics/signals/vss-catalog.ts';
import {
  type Datapoint,
  EntryType,
  MetadataSchema,
  type SignalID,
  type Metadata as SignalMetadata,
} from '../../src/gen/kuksa/val/v2/types_pb.ts';
import { VAL } from '../../src/gen/kuksa/val/v2/val_pb.ts';
import { acceptable } from './accept-point.ts';
import type { Moods } from './moods.ts';
import { provideSignals } from './provider-stream.ts';
import { failure, Refused } from './refused.ts';
import type { BrokerEntry, SignalTable } from './signal-table.ts';
import { Subscription } from './subscription.ts';

export interface BrokerWorld {
  readonly table: SignalTable;
  readonly moods: Moods;
  readonly subscriptions: Set<Subscription>;
}

const kinds: Readonly<Record<LeafKind, EntryType>> = {
  attribute: EntryType.ATTRIBUTE,
  sensor: EntryType.SENSOR,
  actuator: EntryType.ACTUATOR,
};
const maxPathLength = 1000;
const maxBufferSize = 1000;

const sameBytes = (bytes: Buffer): Buffer => bytes;

/** What grpc-js is given to serve: bytes in, bytes out, so that nothing but our own code decodes. */
export function valDefinition(): ServiceDefinition {
  return Object.fromEntries(
    VAL.methods.map((method) => [
      method.name,
      {
        path: `/${VAL.typeName}/${method.name}`,
        requestStream: method.methodKind === 'bidi_streaming',
        responseStream: method.methodKind !== 'unary',
        requestSerialize: sameBytes,
        requestDeserialize: sameBytes,
        responseSerialize: sameBytes,
        responseDeserialize: sameBytes,
      },
    ]),
  );
}

export function valService(world: BrokerWorld): UntypedServiceImplementation {
  const { table, moods, subscriptions } = world;
  const { method } = VAL;
  const enter = (name: string, metadata: Metadata): boolean => {
    moods.calls.set(name, (moods.calls.get(name) ?? 0) + 1);
    const failing = moods.failing.get(name) ?? moods.failing.get('*');
    if (failing === 'HANG') return false;
    if (failing !== undefined) {
      throw new Refused(status[failing as keyof typeof status] ?? status.UNKNOWN, 'told to fail');
    }
    const [sent] = metadata.get('authorization');
    if (moods.token !== '' && sent !== `Bearer ${moods.token}`)
      throw new Refused(status.UNAUTHENTICATED, sent === undefined ? 'no token' : 'the token does not hold');
    return true;
  };
  const unary = <In extends DescMessage, Out extends DescMessage>(
    one: DescMethod & { readonly input: In; readonly output: Out },
    answer: (request: MessageShape<In>) => MessageInitShape<Out>,
  ) =>
    function serve(
      call: ServerUnaryCall<Buffer, Buffer>,
      done: (error: object | null, bytes?: Buffer) => void,
    ): void {
      try {
        if (!enter(one.name, call.metadata)) return;
        const answered = answer(fromBinary(one.input, call.request));
        done(null, Buffer.from(toBinary(one.output, create(one.output, answered))));
      } catch (error) {
        done(failure(error));
      }
    };
  const subscribing = <In extends DescMessage, Out extends DescMessage>(
    one: DescMethod & { readonly input: In; readonly output: Out },
    ask: (request: MessageShape<In>) => {
      readonly entries: readonly BrokerEntry[];
      readonly bufferSize: number;
    },
    tell: (update: readonly (readonly [BrokerEntry, Datapoint])[]) => MessageInitShape<Out>,
  ) =>
    function serve(call: ServerWritableStream<Buffer, Buffer>): void {
      try {
        if (!enter(one.name, call.metadata)) return;
        const { entries, bufferSize } = ask(fromBinary(one.input, call.request));
        if (entries.length === 0) throw new Refused(status.INVALID_ARGUMENT, 'no signals');
        if (bufferSize > maxBufferSize) throw new Refused(status.INVALID_ARGUMENT, 'buffer too large');
        for (const { leaf } of entries) {
          if (moods.forgotten.has(leaf.path)) throw new Refused(status.NOT_FOUND, 'a path is unknown');
          if (moods.denied.has(leaf.path))
            throw new Refused(status.PERMISSION_DENIED, 'a path is not allowed');
        }
        const subscription = new Subscription(call, entries, bufferSize, world, (update) =>
          Buffer.from(toBinary(one.output, create(one.output, tell(update)))),
        );
        subscriptions.add(subscription);
        call.on('close', () => subscriptions.delete(subscription));
      } catch (error) {
        call.emit('error', failure(error));
      }
    };

  return {
    GetServerInfo: unary(method.getServerInfo, () => ({ name: 'vss-broker', version: '0.1.0' })),
    ListMetadata: unary(method.listMetadata, ({ root }) => {
      const metadata = matching(table.entries, root).map((entry) => metadataOf(entry, moods.withoutPaths));
      if (metadata.length === 0) throw new Refused(status.NOT_FOUND, 'nothing matches');
      return { metadata };
    }),
    GetValue: unary(method.getValue, ({ signalId }) => ({ dataPoint: entryOf(table, signalId).point })),
    GetValues: unary(method.getValues, ({ signalIds }) => ({
      dataPoints: signalIds.map((id) => entryOf(table, id).point),
    })),
    PublishValue: unary(method.publishValue, ({ signalId, dataPoint }) => {
      table.publish([[entryOf(table, signalId), acceptable(entryOf(table, signalId), dataPoint)]]);
      return {};
    }),
    Subscribe: subscribing(
      method.subscribe,
      ({ signalPaths, bufferSize }) => ({
        entries: signalPaths.map((path) => entryOf(table, { signal: { case: 'path', value: path } })),
        bufferSize,
      }),
      (update) => ({ entries: Object.fromEntries(update.map(([{ leaf }, point]) => [leaf.path, point])) }),
    ),
    SubscribeById: subscribing(
      method.subscribeById,
      ({ signalIds, bufferSize }) => ({
        entries: signalIds.map((id) => entryOf(table, { signal: { case: 'id', value: id } })),
        bufferSize,
      }),
      (update) => ({ entries: Object.fromEntries(update.map(([{ id }, point]) => [id, point])) }),
    ),
    OpenProviderStream: provideSignals(table, enter),
  };
}

function entryOf(table: SignalTable, id: Pick<SignalID, 'signal'> | undefined): BrokerEntry {
  const signal = id?.signal;
  if (signal?.case === undefined) throw new Refused(status.INVALID_ARGUMENT, 'no signal is named');
  if (signal.case === 'path' && signal.value.length > maxPathLength)
    throw new Refused(status.INVALID_ARGUMENT, 'the path is too long');
  const entry = signal.case === 'path' ? table.byPath(signal.value) : table.byId(signal.value);
  if (entry === undefined) throw new Refused(status.NOT_FOUND, `${signal.value} is unknown`);
  return entry;
}

/** A tree or branch with everything below it, one signal, or a pattern: `*` within a name, `**` across names. */
function matching(entries: readonly BrokerEntry[], root: string): readonly BrokerEntry[] {
  if (!/^[^.\s:]+(\.[^.\s:]+)*$/.test(root)) throw new Refused(status.INVALID_ARGUMENT, 'bad pattern');
  if (!root.includes('*'))
    return entries.filter(({ leaf: { path } }) => path === root || path.startsWith(`${root}.`));
  const source = root
    .split('.')
    .map((name) => (name === '**' ? '.+' : name.replaceAll(/[^\w*]/g, '\\$&').replaceAll('*', '[^.]*')))
    .join('\\.');
  const pattern = new RegExp(`^${source}$`);
  return entries.filter(({ leaf }) => pattern.test(leaf.path));
}

function metadataOf({ id, leaf }: BrokerEntry, withoutPath: boolean): SignalMetadata {
  const { path, kind, datatype, description, unit, min, max, allowed } = leaf;
  const item = datatype.replace('[]', '') as typeof datatype;
  return create(MetadataSchema, {
    path: withoutPath ? '' : path,
    id,
    dataType: datatypeToWire(datatype),
    entryType: kinds[kind],
    description,
    unit,
    ...(allowed === undefined ? {} : { allowedValues: valueToWire(`${item}[]` as typeof datatype, allowed) }),
    ...(min === undefined ? {} : { min: valueToWire(item, min) }),
    ...(max === undefined ? {} : { max: valueToWire(item, max) }),
  });
}
