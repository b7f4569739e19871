import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import { overlayRoot } from '#diagnostics/signals/overlay-vehicle.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { Log } from '#domain/log.ts';
import { type BrokerPatience, keepConnected } from './keep-connected.ts';
import type { OutsideSource } from './source.ts';
import { type BrokerAccess, BrokerError, type VssBroker } from './vss-broker.ts';

export interface OverlayPublisherOptions {
  readonly access: BrokerAccess;
  readonly store: SignalStore;
  readonly clock: SignalClock;
  readonly patience: BrokerPatience;
  readonly random: () => number;
  readonly log: Log;
}

/** Signals that a problem names. */
const maxNamed = 3;

/**
 * Publishes what we say ourselves to a broker: the latest value of each signal, one after the other, and all of them anew on
 * every new connection, since brokers forget values. It is no source; it stands among them because it shares their
 * broker, its state is told beside theirs, and it is started and ended with them.
 */
export class OverlayPublisher implements OutsideSource {
  readonly #options: OverlayPublisherOptions;
  readonly #end = new AbortController();
  /** Values that the broker does not have yet: the latest of each signal, in the order in which they changed. */
  readonly #due = new Map<string, VssValue>();
  readonly #refused = new Map<string, string>();
  readonly #unsubscribe: () => void;
  #news = Promise.withResolvers<void>();
  #state = 'waiting';
  #problem = 'connecting';
  #published = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: OverlayPublisherOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.subscribe((path, { value }) => {
      if (!path.startsWith(`${overlayRoot}.`)) return;
      this.#due.delete(path);
      this.#due.set(path, value);
      this.#news.resolve();
    });
  }

  want(): void {}

  start(): void {
    const { access, patience, clock, random } = this.#options;
    const work = async (broker: VssBroker, signal: AbortSignal): Promise<void> => this.#work(broker, signal);
    const ended = (error: BrokerError): void => this.#ended(error);
    this.#running = keepConnected({ access, patience, clock, random, work, ended }, this.#end.signal).catch(
      (error: unknown) => {
        this.#state = 'failed';
        this.#problem = 'unexpected failure; the log has the cause';
        this.#options.log.error({ err: error }, `publishing to ${access.address} ends`);
      },
    );
  }

  state() {
    const named = [...this.#refused].slice(0, maxNamed).map(([path, why]) => `${path}: ${why}`);
    const more = this.#refused.size > maxNamed ? [`and ${this.#refused.size - maxNamed} more`] : [];
    const refused = [...named, ...more].join(', ');
    return {
      name: `publishing to ${this.#options.access.address}`,
      state: this.#state,
      problem: [this.#problem, refused].filter((part) => part !== '').join('; '),
      signals: this.#options.store.paths().filter((path) => path.startsWith(`${overlayRoot}.`)).length,
      samples: this.#published,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#end.abort();
    await this.#running;
  }

  async #work(broker: VssBroker, signal: AbortSignal): Promise<void> {
    const { access, store, log } = this.#options;
    const info = await broker.info(signal);
    // A broker that started again knows nothing of what its last life was told.
    this.#refused.clear();
    for (const path of store.paths()) {
      const latest = path.startsWith(`${overlayRoot}.`) ? store.latest(path) : undefined;
      if (latest !== undefined) this.#due.set(path, latest.value);
    }
    this.#state = 'connected';
    this.#problem = '';
    log.info({}, `publishing to ${info} at ${access.address}`);
    const stop = (): void => this.#news.resolve();
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const [next] = this.#due;
        if (next !== undefined) await this.#publish(broker, next, signal);
        else {
          this.#news = Promise.withResolvers();
          await this.#news.promise;
        }
      }
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** What the broker does not take by its catalog or our token is told once, and left out until the next connection. */
  async #publish(broker: VssBroker, [path, value]: [string, VssValue], signal: AbortSignal): Promise<void> {
    const datatype = this.#options.store.datatypeOf(path);
    if (datatype !== undefined && !this.#refused.has(path)) {
      try {
        await broker.publish(path, datatype, value, signal);
        this.#published++;
      } catch (error) {
        const isOwn = error instanceof BrokerError && ownFaults.has(error.code);
        if (!isOwn) throw error;
        this.#refused.set(path, error.message);
        if (this.#refused.size === 1)
          this.#options.log.warn(
            { path },
            `not published (load docs/vss/ota-overlay.json?): ${error.message}`,
          );
      }
    }
    // Only if nothing newer came meanwhile.
    if (this.#due.get(path) === value) this.#due.delete(path);
  }

  #ended(error: BrokerError): void {
    this.#state = error.isPassing ? 'waiting' : 'failed';
    if (this.#problem !== error.message) this.#options.log.warn({}, `not published: ${error.message}`);
    this.#problem = error.message;
  }
}

/** What is wrong with one signal, and not with all of them. */
const ownFaults: ReadonlySet<string> = new Set(['unknown_signal', 'denied', 'refused']);
