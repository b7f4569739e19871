import type { Clock } from './clock.ts';

/** How long an observation counts: between one and two of these. */
const generationMs = 5000;
/** Small answers are measured together, over windows of this length. */
const windowMs = 100;
/** A body shorter than this says nothing about the rate by itself. */
const burstBytes = 128 * 1024;
/** Bytes a second that no vehicle's link exceeds; faster ones need no more in flight, only less would be lost. */
const maxRate = 50e6;

/**
 * The estimate is at most this part of all that was received. First impressions are wrong (a busy machine answers late),
 * and what an interruption loses shall stay small beside what was gained before it.
 */
const trustedPart = 1 / 256;

const minSegment = 64 * 1024;
const maxSegment = 8 * 1024 * 1024;

interface Generation {
  rate: number;
  latencyMs: number;
}

/**
 * What the link can hold, from what was seen in the last seconds: the best rate, as the link's own slowness hides in
 * averages, and the shortest latency, as queues only add to it.
 */
export class LinkEstimate {
  readonly #clock: Clock;
  #current: Generation = { rate: 0, latencyMs: Number.POSITIVE_INFINITY };
  #previous: Generation = this.#current;
  #generationEnd: number;
  #windowStart: number;
  #windowBytes = 0;
  #receivedBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStart = clock.now();
    this.#generationEnd = this.#windowStart + generationMs;
  }

  /** From a request on an open connection to the head of its answer. */
  answered(latencyMs: number): void {
    this.#advance();
    this.#current.latencyMs = Math.min(this.#current.latencyMs, Math.max(latencyMs, 0.05));
  }

  /** Bytes that arrived just now, of whichever request. */
  received(bytes: number): void {
    const now = this.#advance();
    this.#windowBytes += bytes;
    this.#receivedBytes += bytes;
    const elapsed = now - this.#windowStart;
    if (elapsed < windowMs) return;
    this.#rate(this.#windowBytes / elapsed);
    this.#windowStart = now;
    this.#windowBytes = 0;
  }

  /** A body, or a range of one, arrived whole: `bytes` after its first piece, in `elapsedMs`. */
  burst(bytes: number, elapsedMs: number): void {
    if (bytes >= burstBytes) this.#rate(bytes / Math.max(elapsedMs, 0.1));
  }

  /** Bytes that are on their way when the link is busy; 0 until something was seen. */
  get bandwidthDelayBytes(): number {
    this.#advance();
    const latencyMs = Math.min(this.#current.latencyMs, this.#previous.latencyMs);
    if (!Number.isFinite(latencyMs)) return 0;
    const holds = Math.max(this.#current.rate, this.#previous.rate) * latencyMs;
    return Math.min(holds, this.#receivedBytes * trustedPart);
  }

  /**
   * How much of a long body to ask for at a time. What was asked for is lost when the process is killed, but every
   * request waits one latency: with twice what the link holds, one body alone gets two thirds of the link.
   */
  get segmentBytes(): number {
    return Math.round(Math.min(maxSegment, Math.max(minSegment, 2 * this.bandwidthDelayBytes)));
  }

  #rate(bytesPerMs: number): void {
    this.#current.rate = Math.max(this.#current.rate, Math.min(bytesPerMs, maxRate / 1000));
  }

  #advance(): number {
    const now = this.#clock.now();
    if (now < this.#generationEnd) return now;
    const stale = now >= this.#generationEnd + generationMs;
    const fresh: Generation = { rate: 0, latencyMs: Number.POSITIVE_INFINITY };
    this.#previous = stale ? fresh : this.#current;
    this.#current = { ...fresh };
    this.#generationEnd = now + generationMs;
    return now;
  }
}
