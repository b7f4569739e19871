import type { IncomingHttpHeaders } from 'node:http';
import { Agent } from 'undici';
import { BodyCursor, EntityChanged, type RangeRequest } from './body-cursor.ts';
import { BodyFeed } from './body-feed.ts';
import { type Call, CallRegister } from './call.ts';
import { type Clock, systemClock } from './clock.ts';
import { Exchange, type ExchangeWatch } from './exchange.ts';
import { defaultTuning, type HttpTuning } from './http-tuning.ts';
import { LinkEstimate } from './link-estimate.ts';
import { NetError } from './net-error.ts';
import { PartFile, partError } from './part-file.ts';
import { ProgressWatch } from './progress-watch.ts';
import { RetryPolicy } from './retry.ts';
import { isRedirect, Redirected, Router, redirectTarget } from './route.ts';
import type { WireMeter } from './wire-meter.ts';
import type { WireRequest } from './wire-request.ts';

/** Browsers follow 20; a file of an image needs one, perhaps two. */
const maxRedirects = 5;

export interface HttpSourceOptions extends Partial<HttpTuning> {
  /** Base URL of the image. The cookies go to its scheme, host and port only. */
  readonly origin: URL;
  /** A secret: in no log, status or error. */
  readonly cookies: ReadonlyMap<string, string>;
  /** An http:// forward proxy, such as the download cache of the vehicle. All requests go there in absolute form. */
  readonly proxy?: URL | undefined;
  /** For User-Agent; only the client's name is sent without it. */
  readonly clientVersion?: string | undefined;
  /** Replaced in tests. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** Where the bytes of one body go. */
interface Receiver {
  /** False: no room for more until the exchange is resumed. */
  push(chunk: Buffer): boolean;
  onRoom: () => void;
}

/** One body on its way. */
interface Job {
  readonly request: WireRequest;
  readonly meter: WireMeter;
  readonly call: Call;
  readonly cursor: BodyCursor;
  readonly receiver: Receiver;
  /** Ask for pieces that fit the link instead of for all that is left. */
  readonly segmented: boolean;
}

/**
 * Reads an image's files over HTTP/1.1 with kept-alive connections, retries and resumption. Errors: NetError, or the
 * signal's reason.
 */
export class HttpSource implements AsyncDisposable {
  readonly #tuning: HttpTuning;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #agent: Agent;
  readonly #router: Router;
  readonly #link: LinkEstimate;
  readonly #progress: ProgressWatch;
  readonly #calls = new CallRegister();
  readonly #transfers = new Set<Promise<void>>();
  #closed = false;

  constructor(options: HttpSourceOptions) {
    const tuning: HttpTuning = { ...defaultTuning, ...options };
    this.#tuning = tuning;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#router = new Router(options);
    this.#link = new LinkEstimate(this.#clock);
    this.#progress = new ProgressWatch(tuning.noProgressTimeoutMs, this.#clock, () => {
      const seconds = Math.round(tuning.noProgressTimeoutMs / 1000);
      this.#calls.cancelAll(new NetError('no_progress', undefined, `nothing arrived for ${seconds} s`));
    });
    this.#agent = new Agent({
      connections: tuning.connections,
      pipelining: 1,
      allowH2: false,
      connectTimeout: tuning.connectTimeoutMs,
      headersTimeout: tuning.headersTimeoutMs,
      bodyTimeout: tuning.bodyTimeoutMs,
    });
  }

  /**
   * The bytes of a body in order and without gaps or repetitions, over all retries. Leaving the loop early stops the
   * transfer. A reader that lags makes the network wait, or reads from the part file.
   */
  async *read(
    request: WireRequest,
    meter: WireMeter,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const call = this.#open(signal);
    let transfer: Promise<void> | undefined;
    try {
      const part = await openPart(request);
      const feed = new BodyFeed(part);
      feed.onFailure = (error) => call.cancel(error);
      const cursor = new BodyCursor(request, part?.length ?? 0, () => feed.startOver());
      const segmented = part !== undefined;
      const job = { request, meter, call, cursor, receiver: feed, segmented };
      transfer = this.#transfer(job, feed, part);
      for (;;) {
        const chunk = await feed.next(call);
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      call.cancel(new NetError('closed', request.url, 'reader left'));
      await transfer;
      this.#calls.close(signal, call);
    }
  }

  /** A whole small body in memory; the fast way for tens of thousands of files. */
  async readAll(request: WireRequest, meter: WireMeter, signal: AbortSignal): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    if (request.part !== undefined) {
      for await (const chunk of this.read(request, meter, signal)) chunks.push(chunk);
      return joined(chunks);
    }
    const call = this.#open(signal);
    const receiver = { push: (chunk: Buffer) => chunks.push(chunk) > 0, onRoom: () => {} };
    const cursor = new BodyCursor(request, 0, () => {
      chunks.length = 0;
      return true;
    });
    try {
      await this.#fetch({ request, meter, call, cursor, receiver, segmented: false });
      return joined(chunks);
    } catch (error) {
      throw changedError(request.url, error);
    } finally {
      this.#calls.close(signal, call);
    }
  }

  /** Bytes that are on their way when the link is busy, for an InflightBudget; 0 until something was seen. */
  get bandwidthDelayBytes(): number {
    return this.#link.bandwidthDelayBytes;
  }

  /** Stops what is under way and closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#calls.cancelAll(new NetError('closed', undefined, 'the source was closed'));
    this.#progress.close();
    await Promise.all(this.#transfers);
    await this.#agent.destroy();
  }

  #open(signal: AbortSignal): Call {
    if (this.#closed) throw new NetError('closed', undefined, 'the source was closed');
    return this.#calls.open(signal);
  }

  /**
   * Feeds a reader to the end, and closes the part file when the reader needs it no more: a reader that is stopped may
   * never come back to do so itself.
   */
  #transfer(job: Job, feed: BodyFeed, part: PartFile | undefined): Promise<void> {
    const { request, call } = job;
    const run = async (): Promise<void> => {
      try {
        await this.#fetch(job);
        await feed.end();
      } catch (error) {
        if (error instanceof EntityChanged) feed.drop();
        await feed.end({ error: changedError(request.url, error) });
      }
      await call.over;
      await part?.[Symbol.asyncDispose]();
    };
    const transfer = run().finally(() => this.#transfers.delete(transfer));
    this.#transfers.add(transfer);
    return transfer;
  }

  /** Attempt after attempt, range after range, until the body is complete. */
  async #fetch(job: Job): Promise<void> {
    const { request, meter, call, cursor } = job;
    const policy = new RetryPolicy(request.url, this.#tuning, this.#random);
    this.#progress.enter();
    try {
      while (!cursor.complete) {
        call.throwIfCancelled();
        const before = cursor.offset;
        try {
          await this.#attempt(job, policy.suspectsCache);
        } catch (error) {
          if (call.cancelled && !isNoProgress(error)) throw error;
          if (cursor.complete) return;
          meter.failedAttempt(error);
          if (error instanceof EntityChanged && !cursor.restart()) throw error;
          await this.#pause(policy.waitAfter(error, cursor.offset - before), call);
        }
      }
    } finally {
      this.#progress.leave();
      call.onCancel = undefined;
    }
  }

  /** One request, with the redirects that it leads to. */
  async #attempt(job: Job, suspectsCache: boolean): Promise<void> {
    const asked = job.cursor.next(job.segmented ? this.#link.segmentBytes : undefined);
    const request = suspectsCache ? { ...job.request, retryCaching: true } : job.request;
    let url = request.url;
    for (let redirects = 0; ; redirects++) {
      try {
        await this.#exchange(job, request, url, asked);
        return job.cursor.finish();
      } catch (error) {
        if (!(error instanceof Redirected)) throw error;
        if (redirects === maxRedirects) {
          throw new NetError('redirect_refused', request.url, `more than ${maxRedirects} redirects`);
        }
        url = error.target;
      }
    }
  }

  #exchange(job: Job, request: WireRequest, url: URL, asked: RangeRequest): Promise<void> {
    const { cursor, receiver, meter } = job;
    const sink = {
      head: (status: number, headers: IncomingHttpHeaders) => {
        if (isRedirect(status)) throw new Redirected(redirectTarget(url, headers.location));
        cursor.answer(status, headers);
      },
      data: (chunk: Buffer) => receiver.push(cursor.take(chunk)),
    };
    const exchange = new Exchange(sink, this.#watch(meter));
    receiver.onRoom = () => exchange.resume();
    const { origin, path, headers } = this.#router.hop(url, request, asked.range, asked.ifRange);
    return exchange.run(this.#agent, { origin, path, method: 'GET', headers }, job.call);
  }

  #watch(meter: WireMeter): ExchangeWatch {
    return {
      clock: this.#clock,
      received: (bytes) => {
        this.#progress.progress();
        this.#link.received(bytes);
        meter.bytes(bytes);
      },
      answered: (latencyMs) => this.#link.answered(latencyMs),
      burst: (bytes, elapsedMs) => this.#link.burst(bytes, elapsedMs),
      paused: (paused) => (paused ? this.#progress.leave() : this.#progress.enter()),
    };
  }

  #pause(ms: number, call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(ms, resolve);
      call.onCancel = (reason) => {
        callOff();
        reject(reason);
      };
    });
  }
}

/** The part file of a request, without bytes that cannot be of its body. */
async function openPart(request: WireRequest): Promise<PartFile | undefined> {
  if (request.part === undefined) return undefined;
  try {
    const part = await PartFile.open(request.part);
    if (part.length > Math.min(request.maxBytes, request.expectedBytes ?? request.maxBytes))
      await part.discard();
    return part;
  } catch (error) {
    throw partError(error);
  }
}

/** The one way to be stopped that the network is to blame for. */
function isNoProgress(error: unknown): boolean {
  return error instanceof NetError && error.code === 'no_progress';
}

function changedError(url: URL, error: unknown): unknown {
  if (!(error instanceof EntityChanged)) return error;
  return new NetError('entity_changed', url, 'changed on the server while it was read', { cause: error });
}

/** One piece is passed on as it is; several are joined in memory of their own, which can be moved to a worker. */
function joined(chunks: readonly Uint8Array[]): Buffer {
  const only = chunks.length === 1 ? chunks[0] : undefined;
  if (only !== undefined) return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
  const whole = Buffer.allocUnsafeSlow(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
