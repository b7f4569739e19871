import { setTimeout as delay } from 'node:timers/promises';

/** The requests that this ECU has taken and not answered yet. */
export class RequestsUnderWay {
  readonly #running = new Set<Promise<unknown>>();

  /** Counts `answer` until it has settled, and gives it back. */
  track<T>(answer: Promise<T>): Promise<T> {
    this.#running.add(answer);
    const done = (): void => {
      this.#running.delete(answer);
    };
    answer.then(done, done);
    return answer;
  }

  /**
   * Resolves when all requests that are under way now have been answered, when `limitMs` are over, or when `signal` is
   * aborted. An ECU that reboots earlier leaves its caller without an answer: a child that hangs is still waited for when
   * the own small update is ready.
   */
  async answered({
    limitMs,
    signal,
  }: {
    readonly limitMs: number;
    readonly signal: AbortSignal;
  }): Promise<void> {
    if (this.#running.size === 0) return;
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    const limit = delay(limitMs, undefined, { signal: either }).catch(() => {});
    await Promise.race([Promise.allSettled(this.#running), limit]);
    over.abort();
  }
}
