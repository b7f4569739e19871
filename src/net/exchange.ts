import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Call } from './call.ts';
import type { Clock } from './clock.ts';
import { AttemptError } from './retry.ts';

/** The body of an answer that is no use is read to its end up to this, so that the connection can be kept. */
const skimmedBytes = 64 * 1024;

/** What one answer is given to. What it throws ends the exchange with that error. */
export interface ExchangeSink {
  /** Judges the head. */
  head(status: number, headers: IncomingHttpHeaders): void;
  /** Takes a piece of the body. False: no room for more until the exchange is resumed. */
  data(chunk: Buffer): boolean;
}

/** What the source wants to know of every exchange. */
export interface ExchangeWatch {
  readonly clock: Clock;
  /** Body bytes came over the network. */
  received(bytes: number): void;
  answered(latencyMs: number): void;
  burst(bytes: number, elapsedMs: number): void;
  /** The reader has no room, or has some again. */
  paused(paused: boolean): void;
}

/** One request and its answer, HTTP/1.1. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #sink: ExchangeSink;
  readonly #watch: ExchangeWatch;
  #controller: Dispatcher.DispatchController | undefined;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  /** Why the answer is of no use; its body is skimmed. */
  #refusal: { readonly error: unknown } | undefined;
  #sentAt = 0;
  #firstAt = 0;
  #firstBytes = 0;
  #bytes = 0;
  #paused = false;

  constructor(sink: ExchangeSink, watch: ExchangeWatch) {
    this.#sink = sink;
    this.#watch = watch;
  }

  /** Resolves when the answer arrived whole. Rejects with the sink's error, the call's reason or the network's. */
  run(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions, call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      call.onCancel = (reason) => {
        this.#end({ error: reason });
        this.#controller?.abort(new Error('cancelled'));
      };
      if (!call.cancelled) dispatcher.dispatch(options, this);
    });
  }

  /** The reader has room again. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#watch.paused(false);
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#sentAt = this.#watch.clock.now();
    // Cancelled while it waited for a free connection.
    if (this.#settle === undefined) controller.abort(new Error('cancelled'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200 || this.#settle === undefined) return;
    this.#watch.answered(this.#watch.clock.now() - this.#sentAt);
    try {
      this.#sink.head(status, headers);
    } catch (error) {
      this.#refusal = { error };
      if (Number(headers['content-length'] ?? 0) > skimmedBytes) this.#abandon();
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#watch.received(chunk.length);
    this.#bytes += chunk.length;
    if (this.#settle === undefined) return;
    if (this.#refusal !== undefined) {
      if (this.#bytes > skimmedBytes) this.#abandon();
      return;
    }
    if (this.#firstAt === 0) {
      this.#firstAt = this.#watch.clock.now();
      this.#firstBytes = chunk.length;
    }
    try {
      if (this.#sink.data(chunk) || this.#paused) return;
      this.#paused = true;
      this.#watch.paused(true);
      controller.pause();
    } catch (error) {
      this.#refusal = { error };
      this.#abandon();
    }
  }

  onResponseEnd(): void {
    const rest = this.#bytes - this.#firstBytes;
    if (rest > 0 && this.#firstAt > 0) this.#watch.burst(rest, this.#watch.clock.now() - this.#firstAt);
    this.#end(this.#refusal);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(this.#refusal ?? { error });
  }

  #abandon(): void {
    this.#end(this.#refusal);
    this.#controller?.abort(new AttemptError('answer of no use'));
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    if (this.#paused) this.#watch.paused(false);
    this.#paused = false;
    if (failure === undefined) settle.resolve();
    else settle.reject(failure.error);
  }
}
