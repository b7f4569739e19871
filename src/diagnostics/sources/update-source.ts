import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import { ecuNames } from '#diagnostics/signals/ecu-name.ts';
import { ecuRoot, overlaySignals } from '#diagnostics/signals/overlay.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { SignalSource } from './source.ts';

/** The update itself as signals: every value that changed, of every ECU, with no broker in between. */
export class UpdateSource implements SignalSource {
  readonly #store: SignalStore;
  readonly #clock: SignalClock;
  readonly #names: ReadonlyMap<string, string>;
  readonly #last = new Map<string, VssValue>();
  #samples = 0;

  constructor(store: SignalStore, clock: SignalClock, ecuIds: readonly string[]) {
    this.#store = store;
    this.#clock = clock;
    this.#names = ecuNames(ecuIds);
    for (const name of this.#names.values()) {
      for (const signal of overlaySignals)
        store.describe(`${ecuRoot}.${name}.${signal.name}`, signal.datatype, signal.unit);
    }
  }

  /** The paths of all ECUs. */
  get paths(): readonly string[] {
    return [...this.#names.values()].flatMap((name) =>
      overlaySignals.map((signal) => `${ecuRoot}.${name}.${signal.name}`),
    );
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
    const [now, ts] = [this.#clock.now(), this.#clock.wallMicros()];
    for (const status of statuses) {
      const name = this.#names.get(status.ecuId);
      if (name === undefined) continue;
      for (const signal of overlaySignals) {
        const value = signal.of(status);
        const path = `${ecuRoot}.${name}.${signal.name}`;
        if (value === undefined || isSame(this.#last.get(path), value)) continue;
        this.#last.set(path, value);
        this.#samples++;
        this.#store.put(path, { value, ts, receivedAt: now });
      }
    }
  }
}

function isSame(before: VssValue | undefined, now: VssValue): boolean {
  if (!Array.isArray(before) || !Array.isArray(now)) return before === now;
  return before.length === now.length && before.every((one, at) => one === now[at]);
}
