import type { EcuId } from '#domain/ecu.ts';
import type { Log } from '#domain/log.ts';
import { ChildEcuError } from './child-ecu-error.ts';
import type { ChildEcu } from './ecu.ts';
import type { StatusStore } from './status-store.ts';

export interface StatusPollerOptions {
  readonly children: readonly ChildEcu[];
  readonly store: StatusStore;
  readonly log: Log;
  /** Interval while any ECU is in update, and for a child that does not answer (yet). Milliseconds. */
  readonly activeMs: number;
  readonly idleMs: number;
  /** Limit for one answer, milliseconds. */
  readonly budgetMs: number;
}

/** Shortest pause between two polls of one child: polls that take longer than the interval do not pile up. */
const minPauseMs = 50;

/**
 * Polls every child for its Status until `signal` is aborted, each on its own, so that one that hangs delays none of
 * the others. Never rejects.
 */
export async function pollChildren(options: StatusPollerOptions, signal: AbortSignal): Promise<void> {
  await Promise.all(options.children.map((child) => pollChild(child, options, signal)));
}

async function pollChild(child: ChildEcu, options: StatusPollerOptions, signal: AbortSignal): Promise<void> {
  const { store, log, budgetMs } = options;
  const pace = new Pace(options, signal);
  let state: 'new' | 'answering' | 'silent' = 'new';
  while (!signal.aborted) {
    pace.started();
    const askedAt = performance.now();
    try {
      store.take(child.id, await child.status({ signal, budgetMs }), askedAt);
      if (state === 'silent') log.info({ child: child.id }, 'child answers again');
      state = 'answering';
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof ChildEcuError))
        log.error({ err: error, child: child.id }, 'poll failed unexpectedly');
      if (state === 'answering') log.warn(silence(child.id, error), 'child does not answer');
      if (state !== 'new') state = 'silent';
      store.miss(child.id);
    }
    await pace.next(state === 'answering');
  }
}

function silence(child: EcuId, error: unknown): object {
  return { child, code: error instanceof ChildEcuError ? error.code : 'other' };
}

/** Decides when the next poll is due; what happens in the vehicle may bring it forward. */
class Pace {
  readonly #options: StatusPollerOptions;
  readonly #signal: AbortSignal;
  #startedAt = 0;
  #isWanted = false;

  constructor(options: StatusPollerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const stop = options.store.subscribe((change) => {
      if (change === 'accepted') this.#isWanted = true;
    });
    signal.addEventListener('abort', stop, { once: true });
  }

  started(): void {
    this.#startedAt = performance.now();
    this.#isWanted = false;
  }

  /** Resolves when the next poll is due: at once when children accepted a request, else by the interval; and on abort. */
  async next(isAnswering: boolean): Promise<void> {
    const { store, activeMs, idleMs } = this.#options;
    const notBefore = performance.now() + minPauseMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    let timer: NodeJS.Timeout | undefined;
    const plan = () => {
      const interval = isAnswering && store.overview().inUpdate.size === 0 ? idleMs : activeMs;
      const due = this.#isWanted ? 0 : Math.max(notBefore, this.#startedAt + interval);
      clearTimeout(timer);
      timer = setTimeout(resolve, Math.max(0, due - performance.now()));
    };
    const stop = store.subscribe(plan);
    const giveUp = () => resolve();
    this.#signal.addEventListener('abort', giveUp, { once: true });
    if (this.#signal.aborted) resolve();
    plan();
    await promise;
    clearTimeout(timer);
    this.#signal.removeEventListener('abort', giveUp);
    stop();
  }
}
