import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { Log } from '#domain/log.ts';
import { BrokerIntake } from './broker-intake.ts';
import { type BrokerPatience, keepConnected } from './keep-connected.ts';
import { openSubscription } from './open-subscription.ts';
import type { OutsideSource } from './source.ts';
import type { BrokerAccess, BrokerError, VssBroker } from './vss-broker.ts';

export interface KuksaSourceOptions {
  readonly access: BrokerAccess;
  readonly store: SignalStore;
  readonly clock: SignalClock;
  readonly patience: BrokerPatience;
  readonly random: () => number;
  readonly log: Log;
}

type Connection =
  | { readonly state: 'idle' }
  | { readonly state: 'waiting'; readonly problem: string }
  | { readonly state: 'connected'; readonly signals: number }
  | { readonly state: 'failed'; readonly problem: string };

/** Signals that a problem names. */
const maxNamed = 5;

/** Signals of a KUKSA databroker: those that somebody wants, whatever happens to the broker meanwhile. */
export class KuksaSource implements OutsideSource {
  readonly #options: KuksaSourceOptions;
  readonly #intake: BrokerIntake;
  readonly #end = new AbortController();
  readonly #reported = new Set<string>();
  #connection: Connection = { state: 'idle' };
  #wanted: ReadonlySet<string> = new Set();
  #started = false;
  #round = new AbortController();
  #missing: readonly string[] = [];
  #lastProblem = '';
  #running: Promise<void> = Promise.resolve();

  constructor(options: KuksaSourceOptions) {
    this.#options = options;
    this.#intake = new BrokerIntake(options.store, options.clock, (line) => this.#tell(line));
  }

  /** Starts over with these paths when they are others than before. */
  want(paths: ReadonlySet<string>): void {
    if (paths.size === this.#wanted.size && [...paths].every((path) => this.#wanted.has(path))) return;
    this.#wanted = paths;
    if (this.#started) this.#begin();
  }

  start(): void {
    this.#started = true;
    this.#begin();
  }

  state(): SourceStatus {
    const { address } = this.#options.access;
    const connection = this.#connection;
    const problems = [
      ...(connection.state === 'idle' ? ['nobody needs a signal of it'] : []),
      ...('problem' in connection ? [connection.problem] : []),
      ...(this.#missing.length === 0 ? [] : [`gives no ${named(this.#missing)}`]),
      ...this.#intake.problems(),
    ];
    return {
      name: `kuksa ${address}`,
      state: connection.state === 'idle' ? 'waiting' : connection.state,
      problem: problems.join('; '),
      signals: connection.state === 'connected' ? connection.signals : 0,
      samples: this.#intake.samples,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  #begin(): void {
    if (this.#end.signal.aborted) return;
    const paths = this.#wanted;
    this.#round.abort();
    const round = new AbortController();
    this.#round = round;
    const signal = AbortSignal.any([round.signal, this.#end.signal]);
    // The old round ends first: two subscriptions would bring everything twice.
    this.#running = this.#running.then(async () => this.#run(paths, signal));
  }

  async #run(paths: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#missing = [];
    if (paths.size === 0) {
      this.#connection = { state: 'idle' };
      return;
    }
    const { access, patience, clock, random, log } = this.#options;
    this.#connection = { state: 'waiting', problem: 'connecting' };
    try {
      await keepConnected(
        {
          access,
          patience,
          clock,
          random,
          work: async (broker, gone) => this.#work(broker, [...paths], gone),
          ended: (error) => this.#ended(error),
        },
        signal,
      );
    } catch (error) {
      this.#connection = { state: 'failed', problem: 'unexpected failure; the log has the cause' };
      log.error({ err: error }, `signals of ${access.address} end`);
    }
  }

  async #work(broker: VssBroker, paths: readonly string[], signal: AbortSignal): Promise<void> {
    const { access, store, patience, log } = this.#options;
    const info = await broker.info(signal);
    const catalog = new Map((await broker.catalog(paths, signal)).map((known) => [known.path, known]));
    const datatypes = new Map<string, VssDatatype>();
    const missing = new Map<string, string>();
    for (const path of paths) {
      const known = catalog.get(path);
      if (known === undefined) missing.set(path, 'is not in its catalog');
      else if (known.datatype === undefined) missing.set(path, 'has a datatype that cannot be kept');
      else {
        datatypes.set(path, known.datatype);
        store.describe(path, known.datatype, known.unit);
      }
    }
    this.#report(missing);
    const subscription = await openSubscription(broker, datatypes, patience.firstMessageMs, signal);
    try {
      const asked = [...datatypes.keys()].filter((path) => !subscription.refused.has(path));
      const shown = new Set(subscription.first.map(({ path }) => path));
      for (const [path, why] of subscription.refused) missing.set(path, why);
      for (const path of asked) if (!shown.has(path)) missing.set(path, 'may not be read with this token');
      this.#report(missing);
      for (const path of paths) if (!missing.has(path)) this.#reported.delete(path);
      this.#connection = { state: 'connected', signals: asked.length };
      this.#lastProblem = '';
      log.info({ signals: asked.length }, `signals come from ${info} at ${access.address}`);
      const wanted = new Set(asked);
      this.#intake.first(subscription.first, wanted);
      for await (const updates of subscription.rest) this.#intake.take(updates, wanted);
    } finally {
      subscription.close();
    }
  }

  #ended(error: BrokerError): void {
    this.#connection = { state: error.isPassing ? 'waiting' : 'failed', problem: error.message };
    if (error.message === this.#lastProblem) return;
    this.#lastProblem = error.message;
    this.#tell(error.message);
  }

  /** Every signal that does not come, once. */
  #report(missing: ReadonlyMap<string, string>): void {
    this.#missing = [...missing.keys()];
    for (const [path, why] of missing) {
      if (this.#reported.has(path)) continue;
      this.#reported.add(path);
      this.#tell(`${path} ${why}`);
    }
  }

  #tell(line: string): void {
    const { access, log } = this.#options;
    log.warn({}, `KUKSA databroker at ${access.address}: ${line}`);
  }
}

function named(paths: readonly string[]): string {
  const rest = paths.length - maxNamed;
  return paths.slice(0, maxNamed).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
