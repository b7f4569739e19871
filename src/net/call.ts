/**
 * One request from its caller's point of view: the first reason to stop it wins, and stops whatever it is doing then.
 * Much cheaper than an AbortController per request, of which an update makes tens of thousands.
 */
export class Call {
  #reason: { readonly error: unknown } | undefined;
  #onCancel: ((reason: unknown) => void) | undefined;
  #onOver: (() => void) | undefined;

  /** Resolves when the call is cancelled; its owner does that in any case when it needs it no more. For one waiter. */
  get over(): Promise<void> {
    return new Promise((resolve) => {
      if (this.cancelled) resolve();
      else this.#onOver = resolve;
    });
  }

  get cancelled(): boolean {
    return this.#reason !== undefined;
  }

  cancel(error: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = { error };
    this.#onCancel?.(error);
    this.#onOver?.();
  }

  throwIfCancelled(): void {
    if (this.#reason !== undefined) throw this.#reason.error;
  }

  /** What the call is doing now, so that it can be stopped; undefined when nothing is to be stopped. */
  set onCancel(stop: ((reason: unknown) => void) | undefined) {
    this.#onCancel = stop;
    if (stop !== undefined && this.#reason !== undefined) stop(this.#reason.error);
  }
}

/**
 * The calls of a source that are under way. Each signal gets one listener however many calls it governs: adding a
 * listener costs a walk over those that are there.
 */
export class CallRegister {
  readonly #bySignal = new Map<AbortSignal, { readonly calls: Set<Call>; readonly onAbort: () => void }>();

  /** Throws the signal's reason when it is aborted already. */
  open(signal: AbortSignal): Call {
    signal.throwIfAborted();
    let entry = this.#bySignal.get(signal);
    if (entry === undefined) {
      const calls = new Set<Call>();
      const onAbort = (): void => {
        for (const call of calls) call.cancel(signal.reason);
      };
      entry = { calls, onAbort };
      this.#bySignal.set(signal, entry);
      signal.addEventListener('abort', onAbort, { once: true });
    }
    const call = new Call();
    entry.calls.add(call);
    return call;
  }

  close(signal: AbortSignal, call: Call): void {
    const entry = this.#bySignal.get(signal);
    entry?.calls.delete(call);
    if (entry?.calls.size !== 0) return;
    signal.removeEventListener('abort', entry.onAbort);
    this.#bySignal.delete(signal);
  }

  cancelAll(reason: unknown): void {
    for (const { calls } of this.#bySignal.values()) for (const call of calls) call.cancel(reason);
  }
}
