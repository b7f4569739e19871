import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import type { LatestValues, SignalValue } from './signal-value.ts';

/** Told of every value that comes in. */
export type SignalListener = (path: string, value: SignalValue) => void;

/** The latest value of every signal of this ECU, whatever source it comes from, and who wants to hear of new ones. */
export class SignalStore implements LatestValues {
  readonly #values = new Map<string, SignalValue>();
  readonly #datatypes = new Map<string, VssDatatype>();
  readonly #units = new Map<string, string>();
  readonly #listeners = new Set<SignalListener>();

  latest(path: string): SignalValue | undefined {
    return this.#values.get(path);
  }

  datatypeOf(path: string): VssDatatype | undefined {
    return this.#datatypes.get(path);
  }

  /** In the words of the catalog, such as `km/h`; undefined where it has none. */
  unitOf(path: string): string | undefined {
    return this.#units.get(path);
  }

  /** Every signal that has a value. */
  paths(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** What a source's metadata says. A later source may know better: datatypes differ between catalogs. */
  describe(path: string, datatype: VssDatatype, unit?: string): void {
    this.#datatypes.set(path, datatype);
    if (unit !== undefined && unit !== '') this.#units.set(path, unit);
  }

  put(path: string, value: SignalValue): void {
    this.#values.set(path, value);
    for (const listener of this.#listeners) listener(path, value);
  }

  /** Returns how to stop. */
  subscribe(listener: SignalListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
