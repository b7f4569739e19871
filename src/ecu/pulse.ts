/** Tells all who wait that something has changed. Nothing is kept for anybody: who was busy looks for himself. */
export class Pulse {
  readonly #waiting = new Set<() => void>();

  beat(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Resolves at the next beat, after `limitMs`, or when `signal` is aborted; true when it was a beat. */
  async next(limitMs: number, signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const beat = (): void => resolve(true);
    const stop = (): void => resolve(false);
    const timer = setTimeout(stop, limitMs);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#waiting.add(beat);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#waiting.delete(beat);
    }
  }
}
