import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import type { Log } from '#domain/log.ts';
import type { UploadVerdict } from './answer.ts';
import { Breaker, type BreakerOptions } from './breaker.ts';
import { type ExchangeOptions, exchange, rest } from './exchange.ts';
import { type QueuedSegment, UploadQueue, type UploadShelf } from './queue.ts';
import type { UploadState } from './upload-state.ts';

export interface UploaderOptions extends Omit<ExchangeOptions, 'wallMs'> {
  /** What is to be sent, at this moment. */
  readonly shelves: () => readonly UploadShelf[];
  /** Calls the listener when there may be more; returns how to stop that. */
  readonly onSealed: (listener: () => void) => () => void;
  /** The bearer token, read anew every time; empty for none. A secret: in no message. */
  readonly token: () => Promise<string>;
  /** Changes whenever a token or a certificate does. */
  readonly credentials: () => Promise<string>;
  /** Why nothing may be sent now, for people; undefined when it may. */
  readonly gate: () => string | undefined;
  /** Interval of asking the gate, and of looking for new credentials after they were refused. */
  readonly gateMs: number;
  readonly breaker: BreakerOptions;
  /** Wait after refused credentials or a wrong address. */
  readonly longWaitMs: number;
  /** Bytes that may be sent in 24 hours; 0 for no limit. */
  readonly dailyBytes: number;
  readonly state: UploadState;
  readonly clock: VehicleClock;
  readonly log: Log;
}

export interface UploadCounts {
  readonly uploadedSegments: number;
  readonly uploadedBytes: number;
  readonly failures: number;
  readonly quarantined: number;
  /** Why nothing is sent now; empty while something is. */
  readonly waiting: string;
}

/** The gate closed while something was sent. */
const gateClosed = Symbol('gate closed');

/**
 * Sends sealed segments to the receiver, one at a time, for ever: each until it is acknowledged, and only then it is
 * removed. Repeated sending is harmless, since a segment keeps its id and its digest.
 */
export class Uploader implements AsyncDisposable {
  readonly #options: UploaderOptions;
  readonly #queue: UploadQueue;
  readonly #breaker: Breaker;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #uploadedSegments = 0;
  #uploadedBytes = 0;
  #failures = 0;
  #quarantined = 0;
  #waiting = '';
  /** Credentials that were refused, and whether newer ones were tried since. */
  #refused: { readonly credentials: string; readonly retried: boolean } | undefined;

  constructor(options: UploaderOptions) {
    this.#options = options;
    this.#queue = new UploadQueue(options.shelves);
    this.#breaker = new Breaker(options.breaker);
    const unfollow = options.onSealed(() => this.#wake.resolve());
    this.#done = this.#run().finally(unfollow);
  }

  get counts(): UploadCounts {
    return {
      uploadedSegments: this.#uploadedSegments,
      uploadedBytes: this.#uploadedBytes,
      failures: this.#failures,
      quarantined: this.#quarantined,
      waiting: this.#waiting,
    };
  }

  /** Stops where it is; what was not acknowledged stays in the spool. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#step(signal);
      } catch (error) {
        if (signal.aborted) return;
        // The spool's disk, for example: nothing that may end the uploads for ever.
        this.#failures++;
        this.#options.log.error({ err: error }, 'a segment could not be handled');
        await this.#pause('an error of the disk', this.#breaker.failed(), signal);
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { gate, gateMs, dailyBytes, state } = this.#options;
    const next = this.#queue.next(this.#breaker.isDown);
    if (next === undefined) {
      this.#waiting = '';
      this.#wake = Promise.withResolvers();
      // One may have been sealed since.
      if (this.#queue.next(false) === undefined) await this.#wake.promise;
      return;
    }
    const closed = gate();
    if (closed !== undefined) return this.#pause(closed, gateMs, signal);
    const { shelf, segment } = next;
    const overBudget = dailyBytes === 0 ? 0 : state.waitMs(segment.bytes, dailyBytes);
    if (overBudget > 0)
      return this.#pause('the daily limit is reached', Math.min(overBudget, 60_000), signal);
    const content = await shelf.read(segment);
    if (content === undefined) return;
    if (segment.bytes >= (state.refusedBytes ?? Number.POSITIVE_INFINITY)) {
      if (await shelf.split(segment, content.bytes)) return;
    }
    this.#waiting = '';
    const verdict = await this.#send(next, content, signal);
    if (verdict !== gateClosed) await this.#follow(verdict, next, content, signal);
  }

  async #send(
    next: QueuedSegment,
    content: { readonly bytes: Buffer; readonly sha256: string },
    signal: AbortSignal,
  ): Promise<UploadVerdict | typeof gateClosed> {
    const { token, gate, gateMs, dailyBytes, state, clock } = this.#options;
    if (dailyBytes > 0) await state.count(content.bytes.length);
    // An update that begins meanwhile does not wait for the end of a long segment.
    const stop = new AbortController();
    const watch = setInterval(() => gate() !== undefined && stop.abort(gateClosed), gateMs).unref();
    try {
      const options = { ...this.#options, wallMs: clock.wallMs };
      return await exchange(next, content, await token(), options, AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      if (error === gateClosed) return gateClosed;
      throw error;
    } finally {
      clearInterval(watch);
    }
  }

  async #follow(
    verdict: UploadVerdict,
    next: QueuedSegment,
    { bytes, sha256 }: { readonly bytes: Buffer; readonly sha256: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { log, longWaitMs, state } = this.#options;
    const { shelf, segment } = next;
    if (verdict.kind === 'retry') return this.#tryAgain(verdict, next, signal);
    // Whatever it says, the receiver answers.
    this.#breaker.succeeded();
    if (verdict.kind !== 'unauthorized') this.#refused = undefined;
    if (verdict.kind === 'stored') {
      await shelf.finish(segment, sha256);
      this.#queue.served(next);
      this.#uploadedSegments++;
      this.#uploadedBytes += segment.bytes;
      return state.taken(segment.bytes);
    }
    this.#failures++;
    switch (verdict.kind) {
      case 'conflict': {
        const isRenewed = await shelf.renew(segment, bytes, verdict.why);
        log.error({ segment: segment.id, isRenewed }, `a segment was put aside: ${verdict.why}`);
        if (isRenewed) this.#quarantined++;
        else await this.#putAside(next, verdict.why);
        return;
      }
      case 'exists':
      case 'quarantine':
        return this.#putAside(next, verdict.kind === 'exists' ? 'it is there already' : verdict.why);
      case 'split':
        await state.refused(segment.bytes);
        if (await shelf.split(segment, bytes)) return;
        return this.#putAside(next, 'it is too large for the receiver and cannot be split');
      case 'unauthorized':
        return this.#unauthorized(signal);
      case 'misconfigured':
        log.warn({ segment: segment.id }, verdict.why);
        this.#queue.failed(next);
        return this.#pause(verdict.why, longWaitMs, signal);
    }
  }

  async #tryAgain(
    { why, afterMs }: UploadVerdict & { readonly kind: 'retry' },
    next: QueuedSegment,
    signal: AbortSignal,
  ): Promise<void> {
    this.#failures++;
    if (!why.startsWith('no answer')) this.#queue.failed(next);
    if (this.#breaker.failures === 0) {
      this.#options.log.warn({ segment: next.segment.id }, `not uploaded, trying again: ${why}`);
    }
    await this.#pause(why, Math.max(afterMs, this.#breaker.failed()), signal);
  }

  /** Newer credentials are tried at once, but once only; then it waits long, or until there are others. */
  async #unauthorized(signal: AbortSignal): Promise<void> {
    const { credentials, log, longWaitMs, gateMs, clock } = this.#options;
    const now = await credentials();
    const isNew = this.#refused !== undefined && this.#refused.credentials !== now;
    const retried = this.#refused?.retried === true;
    this.#refused = { credentials: now, retried: true };
    if (!retried) return;
    if (isNew) return this.#pause('new credentials', Math.min(gateMs, longWaitMs), signal);
    log.warn({}, 'the receiver refuses our credentials');
    const end = clock.now() + longWaitMs;
    while (!signal.aborted && clock.now() < end && (await credentials()) === now) {
      await this.#pause('the receiver refuses our credentials', Math.min(gateMs, longWaitMs), signal);
    }
    // The next attempt is the one that is due.
    this.#refused = undefined;
  }

  async #putAside({ shelf, segment }: QueuedSegment, why: string): Promise<void> {
    this.#quarantined++;
    this.#options.log.error({ segment: segment.id }, `a segment was put aside: ${why}`);
    await shelf.quarantine(segment, why);
  }

  async #pause(why: string, ms: number, signal: AbortSignal): Promise<void> {
    this.#waiting = why;
    await rest(ms, signal);
  }
}
