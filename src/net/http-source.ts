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
  /** Takes back what was received. False when it is in use already. */
  startOver(): boolean;
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
    let part: PartFile | undefined;
    let job: Promise<void> | undefined;
    try {
      part = await openPart(request);
      const feed = new BodyFeed(part);
      feed.onFailure = (error) => call.cancel(error);
      const cursor = new BodyCursor(request, part?.length);
      const segmented = part !== undefined;
      job = this.#fetch({ request, meter, call, cursor, receiver: feed, segmented }).then(
        () => feed.end(),
        (error: unknown) => {
          if (error instanceof EntityChanged) feed.drop();
          return feed.end({ error: changedError(request.url, error) });
        },
      );
      for (;;) {
        const chunk = await feed.next(call);
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      call.cancel(new NetError('closed', request.url, 'reader left'));
      await job;
      await part?.[Symbol.asyncDispose]();
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
    const receiver = {
      push: (chunk: Buffer) => chunks.push(chunk) > 0,
      startOver: () => chunks.splice(0).length >= 0,
      onRoom: () => {},
    };
    try {
      await this.#fetch({
        request,
        meter,
        call,
        cursor: new BodyCursor(request),
        receiver,
        segmented: false,
      });
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
    await this.#agent.destroy();
  }

  #open(signal: AbortSignal): Call {
    if (this.#closed) throw new NetError('closed', undefined, 'the source was closed');
    return this.#calls.open(signal);
  }

  /** Attempt after attempt, range after range, until the body is complete. */
  async #fetch(job: Job): Promise<void> {
    const { request, meter, call, cursor } = job;
    const policy = new RetryPolicy(request.url, this.#tuning, this.#random);
    let restarted = false;
    this.#progress.enter();
    try {
      while (!cursor.complete) {
        call.throwIfCancelled();
        const before = cursor.offset;
        try {
          await this.#attempt(job, policy.suspectsCache);
        } catch (error) {
          call.throwIfCancelled();
          if (cursor.complete) return;
          meter.failedAttempt(error);
          if (error instanceof EntityChanged) {
            if (restarted || !job.receiver.startOver()) throw error;
            restarted = true;
            cursor.reset();
          }
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
        cursor.answer(status, headers, () => receiver.startOver());
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
