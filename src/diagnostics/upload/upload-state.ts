import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import { readSmallJson, writeDurably } from '#host/durable-file.ts';

const dayMs = 24 * 3600 * 1000;
const maxFileBytes = 4096;

/** What is counted of the current 24 hours. */
interface Day {
  /** Bytes that were sent. */
  readonly bytes: number;
  /** How much of it had passed when this was written, in milliseconds, and when that was. */
  readonly elapsedMs: number;
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly wallMs: number;
  readonly synced: boolean;
}

/**
 * What uploads have to remember over restarts: bytes of the day, and what the receiver refused as too large. Without a disk
 * it is remembered in memory only.
 */
export class UploadState {
  readonly #path: string;
  readonly #url: string;
  readonly #clock: VehicleClock;
  #day: Day;
  #refusedBytes: number | undefined;

  private constructor(path: string, url: string, clock: VehicleClock, stored: unknown) {
    this.#path = path;
    this.#url = url;
    this.#clock = clock;
    this.#day = this.#dayOf(stored);
    const refused = field(stored, 'refusedBytes');
    // Another receiver has other limits.
    if (typeof refused === 'number' && refused > 0 && field(stored, 'url') === url)
      this.#refusedBytes = refused;
  }

  static async open(path: string, url: string, clock: VehicleClock): Promise<UploadState> {
    return new UploadState(path, url, clock, await readSmallJson(path, maxFileBytes).catch(() => undefined));
  }

  /** The smallest size that the receiver has refused; undefined when it has refused none. */
  get refusedBytes(): number | undefined {
    return this.#refusedBytes;
  }

  /** Milliseconds until `bytes` more may be sent with at most `dailyBytes` in 24 hours. */
  waitMs(bytes: number, dailyBytes: number): number {
    const { elapsedMs, bytes: sent } = this.#now();
    // One segment a day goes even when it is larger than the limit, or it never would.
    if (sent === 0 || sent + bytes <= dailyBytes) return 0;
    return dayMs - elapsedMs;
  }

  /** Counts bytes that are about to be sent; durable when it resolves. */
  async count(bytes: number): Promise<void> {
    const day = this.#now();
    this.#day = { ...day, bytes: day.bytes + bytes };
    await this.#store();
  }

  /** A segment of this size was refused as too large. */
  async refused(bytes: number): Promise<void> {
    this.#refusedBytes = Math.min(bytes, this.#refusedBytes ?? bytes);
    await this.#store();
  }

  /** A segment of this size was taken, whatever was refused before. */
  async taken(bytes: number): Promise<void> {
    if (this.#refusedBytes === undefined || bytes < this.#refusedBytes) return;
    this.#refusedBytes = undefined;
    await this.#store();
  }

  /** The day as it is now: after 24 hours of the monotonic clock, another one. */
  #now(): Day {
    const { bootId } = this.#clock;
    const monotonicMs = this.#clock.now();
    const elapsedMs = this.#day.elapsedMs + Math.max(0, monotonicMs - this.#day.monotonicMs);
    const isOver = elapsedMs >= dayMs;
    const stamp = { bootId, monotonicMs, wallMs: this.#clock.wallMs(), synced: this.#clock.isSynced() };
    this.#day = isOver
      ? { bytes: 0, elapsedMs: 0, ...stamp }
      : { bytes: this.#day.bytes, elapsedMs, ...stamp };
    return this.#day;
  }

  /** Time without power counts only if the wall clock is known to have been right at both its ends. */
  #dayOf(stored: unknown): Day {
    const clock = this.#clock;
    const number = (name: string): number => {
      const value = field(field(stored, 'day'), name);
      return typeof value === 'number' && value >= 0 ? value : 0;
    };
    const monotonicMs = clock.now();
    const sameBoot = clock.bootId !== '' && field(field(stored, 'day'), 'bootId') === clock.bootId;
    const bothSynced = clock.isSynced() && field(field(stored, 'day'), 'synced') === true;
    const passed = sameBoot
      ? monotonicMs - number('monotonicMs')
      : bothSynced
        ? clock.wallMs() - number('wallMs')
        : 0;
    return {
      bytes: number('bytes'),
      elapsedMs: number('elapsedMs') + Math.max(0, passed),
      bootId: clock.bootId,
      monotonicMs,
      wallMs: clock.wallMs(),
      synced: clock.isSynced(),
    };
  }

  async #store(): Promise<void> {
    const refusedBytes = this.#refusedBytes;
    const text = JSON.stringify({ url: this.#url, day: this.#day, refusedBytes });
    await writeDurably(this.#path, text, 0o600).catch(() => {});
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
