import type { TestContext } from 'node:test';
import { type BrokerAccessOptions, brokerAccess } from '#api/kuksa/broker-access.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { SignalValue } from '#diagnostics/signals/signal-value.ts';
import { type BrokerPatience, usualPatience } from '#diagnostics/sources/keep-connected.ts';
import { KuksaSource } from '#diagnostics/sources/kuksa-source.ts';
import { MemoryLog } from './memory-log.ts';
import { endBeforeRemoval } from './scratch-directory.ts';

interface Put {
  readonly path: string;
  readonly value: SignalValue;
}

/** A source of a broker's signals, and everything that comes from it. */
export class KuksaWorld {
  readonly store = new SignalStore();
  readonly log = new MemoryLog();
  readonly puts: Put[] = [];
  readonly source: KuksaSource;
  readonly #news = new EventTarget();

  constructor(
    t: TestContext,
    access: Partial<BrokerAccessOptions> & { readonly address: string },
    patience: Partial<BrokerPatience> = {},
  ) {
    this.store.subscribe((path, value) => {
      this.puts.push({ path, value });
      this.#news.dispatchEvent(new Event('put'));
    });
    this.source = new KuksaSource({
      access: brokerAccess({ tls: false, ...access }),
      store: this.store,
      clock: systemClock,
      patience: { ...usualPatience, baseMs: 50, maxMs: 500, ...patience },
      random: Math.random,
      log: this.log,
    });
    this.source.start();
    endBeforeRemoval(t, async () => this.source[Symbol.asyncDispose]());
  }

  want(...paths: string[]): void {
    this.source.want(new Set(paths));
  }

  /** Values of one signal so far. */
  of(path: string): unknown[] {
    return this.puts.filter((put) => put.path === path).map(({ value }) => value.value);
  }

  /** Resolves as soon as `holds` does, looked at after every value and, for what has none, many times a second. */
  async until(what: string, holds: () => boolean, limitMs = 60_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (holds()) resolve();
    };
    this.#news.addEventListener('put', look);
    const timer = setInterval(look, 20);
    const limit = setTimeout(() => {
      const state = JSON.stringify(this.source.state());
      reject(new Error(`never: ${what}; ${state}; ${this.log.lines.join(' | ')}`));
    }, limitMs);
    look();
    try {
      await promise;
    } finally {
      clearInterval(timer);
      clearTimeout(limit);
      this.#news.removeEventListener('put', look);
    }
  }
}
