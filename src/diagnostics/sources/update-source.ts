import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { ecuRoot, overlaySignals } from '#diagnostics/signals/overlay.ts';
import { overlayRoot, vehicleSignals } from '#diagnostics/signals/overlay-vehicle.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { SignalValue } from '#diagnostics/signals/signal-value.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { SignalSource } from './source.ts';

/** The update itself as signals: every value that changed, of every ECU, with no broker in between. */
export class UpdateSource implements SignalSource {
  readonly #store: SignalStore;
  readonly #clock: SignalClock;
  readonly #names: ReadonlyMap<string, string>;
  readonly #ownId: string | undefined;
  readonly #last = new Map<string, VssValue>();
  #samples = 0;

  /** `ecuIds`: the own one first. */
  constructor(store: SignalStore, clock: SignalClock, ecuIds: readonly string[]) {
    this.#store = store;
    this.#clock = clock;
    this.#names = ecuNames(ecuIds);
    this.#ownId = ecuIds[0];
    for (const { name, datatype } of vehicleSignals) store.describe(`${overlayRoot}.${name}`, datatype);
    for (const name of this.#names.values()) {
      for (const signal of overlaySignals)
        store.describe(`${ecuRoot}.${name}.${signal.name}`, signal.datatype, signal.unit);
    }
  }

  /** The paths of the vehicle and of all ECUs. */
  get paths(): readonly string[] {
    return [
      ...vehicleSignals.map(({ name }) => `${overlayRoot}.${name}`),
      ...[...this.#names.values()].flatMap((name) =>
        overlaySignals.map((signal) => `${ecuRoot}.${name}.${signal.name}`),
      ),
    ];
  }

  state(): SourceStatus {
    return {
      name: 'update',
      state: this.#samples > 0 ? 'connected' : 'waiting',
      problem: '',
      signals: this.paths.length,
      samples: this.#samples,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Takes what the ECUs say of themselves; ECUs that are in no campaign have no signals. */
  take(statuses: readonly EcuStatus[]): void {
    const at = { ts: this.#clock.wallMicros(), receivedAt: this.#clock.now() };
    const known = statuses.filter(({ ecuId }) => this.#names.has(ecuId));
    for (const status of known) {
      const root = `${ecuRoot}.${this.#names.get(status.ecuId)}`;
      for (const signal of overlaySignals) this.#put(`${root}.${signal.name}`, signal.of(status), at);
    }
    const own = known.find(({ ecuId }) => ecuId === this.#ownId);
    if (own === undefined) return;
    for (const { name, of } of vehicleSignals) this.#put(`${overlayRoot}.${name}`, of(own, known), at);
  }

  #put(path: string, value: VssValue | undefined, at: Omit<SignalValue, 'value'>): void {
    if (value === undefined || isSame(this.#last.get(path), value)) return;
    this.#last.set(path, value);
    this.#samples++;
    this.#store.put(path, { value, ...at });
  }
}

function isSame(before: VssValue | undefined, now: VssValue): boolean {
  if (!Array.isArray(before) || !Array.isArray(now)) return before === now;
  return before.length === now.length && before.every((one, at) => one === now[at]);
}
