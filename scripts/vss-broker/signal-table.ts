import { create } from '@bufbuild/protobuf';
import { valueToWire } from '../../src/api/kuksa/wire-values.ts';
import type { VssValue } from '../../src/diagnostics/messages/vss-value.ts';
import type { CatalogLeaf } from '../../src/diagnostics/signals/vss-catalog.ts';
import {
  type Datapoint,
  DatapointSchema,
  type Value,
  ValueSchema,
} from '../../src/gen/kuksa/val/v2/types_pb.ts';

/** One signal while the broker runs. */
export interface BrokerEntry {
  readonly id: number;
  readonly leaf: CatalogLeaf;
  point: Datapoint;
}

export type ChangeListener = (changed: readonly BrokerEntry[]) => void;

/** The signals of a broker and their values, which are gone with it. */
export class SignalTable {
  readonly #byPath = new Map<string, BrokerEntry>();
  readonly #byId = new Map<number, BrokerEntry>();
  readonly #listeners = new Set<ChangeListener>();
  /** Added to the clock of this machine, in milliseconds. */
  clockShiftMs = 0;

  /** `firstId`: another one after each start, as brokers do it. */
  constructor(leaves: Iterable<CatalogLeaf>, firstId: number) {
    let id = firstId;
    for (const leaf of leaves) {
      const { initial, datatype } = leaf;
      const value = initial === undefined ? undefined : create(ValueSchema, valueToWire(datatype, initial));
      const entry: BrokerEntry = { id: id++, leaf, point: this.#point(value) };
      this.#byPath.set(leaf.path, entry);
      this.#byId.set(entry.id, entry);
    }
  }

  get entries(): readonly BrokerEntry[] {
    return [...this.#byPath.values()];
  }

  byPath(path: string): BrokerEntry | undefined {
    return this.#byPath.get(path);
  }

  byId(id: number): BrokerEntry | undefined {
    return this.#byId.get(id);
  }

  /** Takes values that belong together; subscribers get them in one message. Undefined clears a signal. */
  publish(values: readonly (readonly [BrokerEntry, Value | undefined])[]): void {
    const changed: BrokerEntry[] = [];
    for (const [entry, value] of values) {
      // Attributes tell of changes, everything else of every value.
      const isNew = entry.leaf.kind !== 'attribute' || !isSame(entry.point.value, value);
      entry.point = this.#point(value);
      if (isNew) changed.push(entry);
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  /** The same for a value of ours. Errors: MessageError when it is not of the signal's datatype. */
  set(path: string, value: VssValue | undefined): void {
    const entry = this.#byPath.get(path);
    if (entry === undefined) throw new Error(`${path} is not in the catalog`);
    const wire =
      value === undefined ? undefined : create(ValueSchema, valueToWire(entry.leaf.datatype, value));
    this.publish([[entry, wire]]);
  }

  /** Returns how to stop. */
  listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #point(value: Value | undefined): Datapoint {
    if (value === undefined) return create(DatapointSchema);
    const ms = Date.now() + this.clockShiftMs;
    const seconds = Math.floor(ms / 1000);
    const timestamp = { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1_000_000) };
    return create(DatapointSchema, { timestamp, value });
  }
}

function isSame(before: Value | undefined, now: Value | undefined): boolean {
  const text = (value: Value | undefined): string =>
    JSON.stringify(value?.typedValue, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one)) ?? '';
  return text(before) === text(now);
}
