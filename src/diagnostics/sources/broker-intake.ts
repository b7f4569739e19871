import type { SignalClock } from '#diagnostics/signals/clock.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { BrokerUpdate } from './vss-broker.ts';

/** A broker's clock that is further away from ours is not believed, in microseconds. */
const believedSkew = 5_000_000n;

/** Takes what a broker says into the store, as far as it can be believed, and counts the rest. */
export class BrokerIntake {
  readonly #store: SignalStore;
  readonly #clock: SignalClock;
  readonly #tell: (line: string) => void;
  /** What the broker said last of every signal: said again after a reconnect, it is nothing new. */
  readonly #last = new Map<string, bigint>();
  readonly #complained = new Set<string>();
  #samples = 0;
  #refused = 0;
  #restamped = 0;
  #unasked = 0;

  /** `tell` gets a line about the first value of each signal that is refused. */
  constructor(store: SignalStore, clock: SignalClock, tell: (line: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#tell = tell;
  }

  get samples(): number {
    return this.#samples;
  }

  /** What is wrong with the values, in words. */
  problems(): readonly string[] {
    return [
      ...(this.#refused === 0 ? [] : [`${this.#refused} values refused`]),
      ...(this.#restamped === 0 ? [] : [`${this.#restamped} times replaced by ours`]),
      ...(this.#unasked === 0 ? [] : [`${this.#unasked} values nobody asked for`]),
    ];
  }

  /** The first message of a subscription: what the broker knows already, maybe for long. */
  first(updates: readonly BrokerUpdate[], wanted: ReadonlySet<string>): void {
    this.#take(updates, wanted, true);
  }

  take(updates: readonly BrokerUpdate[], wanted: ReadonlySet<string>): void {
    this.#take(updates, wanted, false);
  }

  #take(updates: readonly BrokerUpdate[], wanted: ReadonlySet<string>, isFirst: boolean): void {
    const wall = this.#clock.wallMicros();
    const now = this.#clock.now();
    for (const { path, reading } of updates) {
      if (!wanted.has(path)) {
        this.#unasked++;
        continue;
      }
      if (reading.kind === 'absent') continue;
      if (reading.kind === 'refused') {
        this.#refuse(path, reading.why);
        continue;
      }
      const said = reading.ts;
      if (isFirst && said !== undefined && this.#last.get(path) === said) continue;
      if (said !== undefined) this.#last.set(path, said);
      const { ts, olderMs } = this.#stamp(said, wall, isFirst);
      this.#samples++;
      this.#store.put(path, {
        value: reading.value,
        ts,
        receivedAt: now,
        ...(olderMs === 0 ? {} : { olderMs }),
      });
    }
  }

  /**
   * The broker's clock is believed when it is near ours. A value that it knew before we came is as old as it says: nobody
   * may take the speed of an hour ago for the speed of now.
   */
  #stamp(
    said: bigint | undefined,
    wall: bigint,
    isFirst: boolean,
  ): { readonly ts: bigint; readonly olderMs: number } {
    if (said === undefined) return { ts: wall, olderMs: 0 };
    const age = wall - said;
    const isNear = age <= believedSkew && -age <= believedSkew;
    if (!isNear) this.#restamped++;
    const olderMs = isFirst && age > 0n ? Number(age / 1000n) : 0;
    return { ts: isNear ? said : wall, olderMs };
  }

  #refuse(path: string, why: string): void {
    this.#refused++;
    if (this.#complained.has(path)) return;
    this.#complained.add(path);
    this.#tell(`a value of ${path} is refused: ${why}`);
  }
}
