const minBudget = 128 * 1024;
const maxBudget = 16 * 1024 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Bounds the bytes that were asked for and are not safe yet, as all of them are lost when the process is killed. The
 * bound is twice what the link holds, from 128 KiB to 16 MiB. First come, first served. A grant larger than the whole
 * budget is admitted alone.
 */
export class InflightBudget {
  readonly #bandwidthDelayBytes: () => number;
  readonly #waiters: Waiter[] = [];
  #held = 0;

  /** `bandwidthDelayBytes` is asked anew at every decision. */
  constructor(bandwidthDelayBytes: () => number) {
    this.#bandwidthDelayBytes = bandwidthDelayBytes;
  }

  /** Waits until `bytes` more may be in flight. Rejects with the signal's reason; then nothing is held. */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiters.length === 0 && this.#fits(bytes)) {
      this.#held += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiter = { bytes, admit };
      this.#waiters.push(waiter);
      signal.addEventListener('abort', abandon, { once: true });
      function admit(): void {
        signal.removeEventListener('abort', abandon);
        resolve();
      }
      const leave = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.#admitNext();
      };
      function abandon(): void {
        leave();
        reject(signal.reason as Error);
      }
    });
  }

  /** Gives back what was acquired, in one or several pieces: the bytes are safe, or not expected any more. */
  release(bytes: number): void {
    this.#held = Math.max(0, this.#held - bytes);
    this.#admitNext();
  }

  /** Bytes that are in flight now, and how many may be. */
  get held(): number {
    return this.#held;
  }

  get limit(): number {
    return Math.round(Math.min(maxBudget, Math.max(minBudget, 2 * this.#bandwidthDelayBytes())));
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.limit;
  }

  #admitNext(): void {
    for (let next = this.#waiters[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiters[0]) {
      this.#waiters.shift();
      this.#held += next.bytes;
      next.admit();
    }
  }
}
