import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SpooledSegment } from '#diagnostics/spool/scan.ts';
import type { Log } from '#domain/log.ts';
import type { PutAnswer } from '#net/put-client.ts';
import { judgeAnswer, type UploadVerdict } from './answer.ts';

/** What an uploader needs of the spool. */
export interface UploadSpool {
  sealed(): readonly SpooledSegment[];
  read(segment: SpooledSegment): Promise<Buffer>;
  remove(segment: SpooledSegment): Promise<void>;
  /** False when it cannot be split any more. */
  split(segment: SpooledSegment): Promise<boolean>;
  quarantine(segment: SpooledSegment, why: string): Promise<void>;
  onSealed(listener: () => void): () => void;
}

export interface UploaderOptions {
  readonly spool: UploadSpool;
  /** Segments go to `<url>/vehicles/<vehicleId>/diagnostics/<segment id>`. */
  readonly url: URL;
  readonly vehicleId: string;
  readonly contentType: string;
  readonly put: (
    url: URL,
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<PutAnswer>;
  /** The bearer token, read anew every time; empty for none. A secret: in no message. */
  readonly token: () => Promise<string>;
  /** Why nothing may be sent now, for people; undefined when it may. Asked again after `gateMs`. */
  readonly gate: () => string | undefined;
  readonly gateMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Wait after refused credentials or a wrong address. */
  readonly longWaitMs: number;
  /** Bytes that may be sent in 24 hours; 0 for no limit. */
  readonly dailyBytes: number;
  readonly random: () => number;
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

const dayMs = 24 * 3600 * 1000;

/**
 * Sends sealed segments to the receiver, one at a time, for ever: each until it is acknowledged, and only then it is
 * removed. Repeated sending is harmless, since a segment keeps its id and its digest.
 */
export class Uploader implements AsyncDisposable {
  readonly #options: UploaderOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #uploadedSegments = 0;
  #uploadedBytes = 0;
  #failures = 0;
  #quarantined = 0;
  #waiting = '';
  /** Failures in a row. */
  #streak = 0;
  #day = { startedAt: performance.now(), bytes: 0 };
  #usedToken = '';

  constructor(options: UploaderOptions) {
    this.#options = options;
    const unfollow = options.spool.onSealed(() => this.#wake.resolve());
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
        await this.#pause('an error', this.#backoffMs(), signal);
      }
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { spool, gate, gateMs } = this.#options;
    const [segment] = spool.sealed();
    if (segment === undefined) {
      this.#waiting = '';
      this.#wake = Promise.withResolvers();
      // One may have been sealed since.
      if (spool.sealed().length === 0) await this.#wake.promise;
      return;
    }
    const closed = gate();
    if (closed !== undefined) return this.#pause(closed, gateMs, signal);
    const overBudget = this.#dayBudgetMs(segment.bytes);
    if (overBudget > 0) return this.#pause('the daily limit is reached', overBudget, signal);
    this.#waiting = '';
    const verdict = await this.#send(segment, signal);
    await this.#follow(verdict, segment, signal);
  }

  async #send(segment: SpooledSegment, signal: AbortSignal): Promise<UploadVerdict> {
    const { spool, url, vehicleId, contentType, put, token } = this.#options;
    const body = await spool.read(segment);
    const digest = createHash('sha256').update(body).digest();
    this.#usedToken = await token();
    const path = `vehicles/${encodeURIComponent(vehicleId)}/diagnostics/${segment.id}`;
    const headers = {
      'content-type': contentType,
      'content-digest': `sha-256=:${digest.toString('base64')}:`,
      'if-none-match': '*',
      'idempotency-key': segment.id,
      ...(this.#usedToken === '' ? {} : { authorization: `Bearer ${this.#usedToken}` }),
    };
    this.#day.bytes += body.length;
    try {
      const answer = await put(new URL(path, withSlash(url)), body, headers, signal);
      return judgeAnswer(answer.status, answer.headers, answer.text, digest.toString('hex'), Date.now());
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      return { kind: 'retry', afterMs: 0, why: `no answer: ${why}` };
    }
  }

  async #follow(verdict: UploadVerdict, segment: SpooledSegment, signal: AbortSignal): Promise<void> {
    const { spool, log, longWaitMs, token } = this.#options;
    if (verdict.kind === 'stored') {
      await spool.remove(segment);
      this.#streak = 0;
      this.#uploadedSegments++;
      this.#uploadedBytes += segment.bytes;
      return;
    }
    this.#failures++;
    switch (verdict.kind) {
      case 'quarantine':
        return this.#putAside(segment, verdict.why);
      case 'split':
        if (await spool.split(segment)) return;
        return this.#putAside(segment, 'it is too large for the receiver and cannot be split');
      case 'unauthorized': {
        const renewed = (await token()) !== this.#usedToken;
        if (renewed && this.#streak === 0) {
          this.#streak++;
          return;
        }
        log.warn({ segment: segment.id }, 'the receiver refuses our credentials');
        return this.#pause('the receiver refuses our credentials', longWaitMs, signal);
      }
      case 'misconfigured':
        log.warn({ segment: segment.id }, verdict.why);
        return this.#pause(verdict.why, longWaitMs, signal);
      case 'retry': {
        const wait = Math.max(verdict.afterMs, this.#backoffMs());
        if (this.#streak === 1)
          log.warn({ segment: segment.id }, `not uploaded, trying again: ${verdict.why}`);
        return this.#pause(verdict.why, wait, signal);
      }
    }
  }

  async #putAside(segment: SpooledSegment, why: string): Promise<void> {
    this.#quarantined++;
    this.#options.log.error({ segment: segment.id }, `a segment was put aside: ${why}`);
    await this.#options.spool.quarantine(segment, why);
  }

  /** Full jitter, growing with every failure in a row. */
  #backoffMs(): number {
    const { backoffBaseMs, backoffMaxMs, random } = this.#options;
    this.#streak++;
    return random() * Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(this.#streak, 30));
  }

  /** Milliseconds until `bytes` more may be sent. */
  #dayBudgetMs(bytes: number): number {
    const { dailyBytes } = this.#options;
    const age = performance.now() - this.#day.startedAt;
    if (age >= dayMs) this.#day = { startedAt: performance.now(), bytes: 0 };
    // One segment a day goes even when it is larger than the limit, or it never would.
    const fits = dailyBytes === 0 || this.#day.bytes === 0 || this.#day.bytes + bytes <= dailyBytes;
    return fits ? 0 : dayMs - age;
  }

  async #pause(why: string, ms: number, signal: AbortSignal): Promise<void> {
    this.#waiting = why;
    await delay(ms, undefined, { signal }).catch(() => {});
  }
}

function withSlash(url: URL): URL {
  return url.href.endsWith('/') ? url : new URL(`${url.href}/`);
}
