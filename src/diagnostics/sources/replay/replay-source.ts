import { setImmediate as breath, setTimeout as delay } from 'node:timers/promises';
import type { SourceStatus } from '#diagnostics/diagnostics-status.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import type { OutsideSource } from '#diagnostics/sources/source.ts';
import type { Log } from '#domain/log.ts';
import { DriveError } from './drive-error.ts';
import { checkDrive, type DriveSample, type KnownDatatypes, readDrive } from './read-drive.ts';

export interface ReplayOptions {
  readonly file: string;
  /** 1 as recorded, 2 twice as fast; 0 as fast as it can be read. */
  readonly speed: number;
  readonly loop: boolean;
  readonly datatypeOf: KnownDatatypes;
  readonly store: SignalStore;
  readonly clock: SignalClock;
  readonly log: Log;
}

/** Values between two looks at what else there is to do. */
const breathEvery = 500;
/** Of a loop: between the last value and the first one again, in milliseconds of the drive. */
const pauseMs = 1000;

/**
 * Plays a recorded drive. Values have the times of the drive, laid so that it begins now: at twice the speed, a drive of ten
 * minutes is over in five, and its values are still ten minutes apart.
 */
export class ReplaySource implements OutsideSource {
  readonly #options: ReplayOptions;
  readonly #end = new AbortController();
  readonly #paths = new Set<string>();
  #state = 'waiting';
  #problem = '';
  #samples = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** A drive is played whole. */
  want(): void {}

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when the drive has been played, or cannot be. */
  async played(): Promise<void> {
    await this.#running;
  }

  state(): SourceStatus {
    return {
      name: `replay ${this.#options.file}`,
      state: this.#state,
      problem: this.#problem,
      signals: this.#paths.size,
      samples: this.#samples,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { file, speed, loop, datatypeOf, clock, log } = this.#options;
    const { signal } = this.#end;
    try {
      // A drive that is wrong in its middle is not played to there.
      const { durationMs, values, signals } = await checkDrive(file, datatypeOf);
      log.info({ values, signals, seconds: durationMs / 1000, speed }, `playing ${file}`);
      this.#state = 'connected';
      const began = { now: clock.now(), wall: clock.wallMicros() };
      for (let base = 0; !signal.aborted; base += durationMs + pauseMs) {
        await this.#play(began, base);
        if (!loop) break;
      }
      if (!signal.aborted) this.#state = 'ended';
    } catch (error) {
      if (signal.aborted) return;
      this.#state = 'failed';
      this.#problem = error instanceof DriveError ? error.message : String(error);
      log.error({ err: error }, 'the drive is not played');
    }
  }

  /** Once from its beginning, which lies `baseMs` of its own time behind that of the first round. */
  async #play(began: { readonly now: number; readonly wall: bigint }, baseMs: number): Promise<void> {
    const { file, speed, datatypeOf, clock } = this.#options;
    const { signal } = this.#end;
    let sinceBreath = 0;
    for await (const sample of readDrive(file, datatypeOf)) {
      if (signal.aborted) return;
      const atMs = baseMs + sample.atMs;
      const dueIn = speed === 0 ? 0 : began.now + atMs / speed - clock.now();
      if (dueIn > 0) {
        sinceBreath = 0;
        await delay(dueIn, undefined, { signal, ref: false });
      } else if (++sinceBreath >= breathEvery) {
        sinceBreath = 0;
        await breath();
      }
      this.#put(sample, began.now + atMs, began.wall + BigInt(Math.round(atMs * 1000)));
    }
  }

  #put({ path, datatype, value }: DriveSample, receivedAt: number, ts: bigint): void {
    const { store } = this.#options;
    if (!this.#paths.has(path)) {
      this.#paths.add(path);
      store.describe(path, datatype);
    }
    this.#samples++;
    store.put(path, { value, ts, receivedAt });
  }
}
