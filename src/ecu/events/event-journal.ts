import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#domain/log.ts';
import { Pulse } from '#ecu/pulse.ts';
import { RequestRate } from '#ecu/request-rate.ts';
import { type Happening, trimmed, type VehicleEvent } from './event.ts';
import { eventToLine } from './event-line.ts';
import { EventSegments } from './event-segments.ts';

export interface EventJournalOptions {
  /** Undefined: in memory only. */
  readonly directory: string | undefined;
  /** Room on disk. */
  readonly maxBytes: number;
  readonly log: Log;
  /** So many events of one kind are written down per second, and four times as many at once. Default 20. */
  readonly eventsPerSecond?: number;
}

export interface EventPage {
  readonly events: readonly VehicleEvent[];
  /** To go on below; undefined when there are no more. */
  readonly before: number | undefined;
}

/** What can wait for others is written after so many milliseconds. */
const gatherMs = 500;
/** After a failure it is tried again after so many milliseconds. */
const retryMs = 5000;
/** Kept in memory, so that those who watch need no disk. */
const maxRecent = 1000;
/** Kept for a disk that does not take them; then the oldest are lost. */
const maxUnwritten = 2000;
/** Numbers left out after a life that did not end in order: it may have shown events that were never written. */
const gapAfterCrash = 4096;
/** Nobody drives out what happened before. */
const defaultEventsPerSecond = 20;
/** Nobody waits longer than this for the disk, in milliseconds: an update goes before its record. */
const patienceMs = 1000;

/**
 * What happened to the vehicle, for people: survives restarts, and a torn end is cut off. A disk that is full or broken
 * costs the journal, never a request: events are then told from memory.
 */
export class EventJournal implements AsyncDisposable {
  /** Whether the daemon's life before this one came to its end. */
  readonly endedInOrder: boolean;
  readonly #log: Log;
  readonly #segments: EventSegments | undefined;
  readonly #pulse = new Pulse();
  readonly #recent: VehicleEvent[] = [];
  #unwritten: VehicleEvent[] = [];
  #last: number;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  readonly #rate: RequestRate;
  #leftOut = 0;
  #failing = false;
  #ended = false;

  private constructor(
    { log, eventsPerSecond = defaultEventsPerSecond }: EventJournalOptions,
    segments: EventSegments | undefined,
    newest: readonly VehicleEvent[],
  ) {
    this.#log = log;
    this.#rate = new RequestRate(eventsPerSecond);
    this.#segments = segments;
    this.#recent.push(...newest.slice(-maxRecent));
    const last = Math.max(0, newest.at(-1)?.sequence ?? 0, (segments?.firsts.at(-1) ?? 1) - 1);
    this.endedInOrder = last === 0 || newest.at(-1)?.details?.['daemon'] === 'ends';
    this.#last = this.endedInOrder ? last : last + gapAfterCrash;
  }

  /** Never rejects: a journal that cannot be opened lives in memory. */
  static async open(options: EventJournalOptions): Promise<EventJournal> {
    const { directory, maxBytes, log } = options;
    if (directory === undefined) return new EventJournal(options, undefined, []);
    try {
      const { segments, newest } = await EventSegments.open(directory, maxBytes);
      return new EventJournal(options, segments, newest);
    } catch (error) {
      log.error({ err: error }, 'the journal of events cannot be opened: events are kept in memory only');
      return new EventJournal(options, undefined, []);
    }
  }

  /** The newest events, oldest first. */
  get recent(): readonly VehicleEvent[] {
    return this.#recent;
  }

  /** Writes down soon, together with others. */
  note(happening: Happening): void {
    this.#add(happening);
    this.#timer ??= setTimeout(() => void this.#flush(), this.#failing ? retryMs : gatherMs);
  }

  /** Writes down at once: resolves when that is durable, has failed, or takes too long. Never rejects. */
  async record(happening: Happening): Promise<void> {
    this.#add(happening);
    const limit = new AbortController();
    const late = delay(patienceMs, undefined, { signal: limit.signal }).catch(() => {});
    await Promise.race([this.#flush(), late]);
    limit.abort();
  }

  /** Newest first: up to `limit` events that fit, of those before `before`. Errors: the signal's reason. */
  async page(
    before: number | undefined,
    limit: number,
    fits: (event: VehicleEvent) => boolean,
    signal: AbortSignal,
  ): Promise<EventPage> {
    const found: VehicleEvent[] = [];
    for await (const event of this.#backwards(before ?? Number.POSITIVE_INFINITY, signal)) {
      if (!fits(event)) continue;
      if (found.length === limit) return { events: found, before: found.at(-1)?.sequence };
      found.push(event);
    }
    return { events: found, before: undefined };
  }

  /** Up to `limit` events after a place, oldest first; undefined when that place is not in the journal (any more). */
  async after(sequence: number, limit: number): Promise<readonly VehicleEvent[] | undefined> {
    if (sequence > this.#last) return undefined;
    const [oldest] = this.#recent;
    if (oldest === undefined || sequence >= oldest.sequence - 1) return this.#recentAfter(sequence, limit);
    const firsts = this.#segments?.firsts ?? [];
    if ((firsts[0] ?? oldest.sequence) > sequence + 1) return undefined;
    const from = firsts.findLastIndex((first) => first <= sequence + 1);
    for (const first of firsts.slice(Math.max(0, from))) {
      const events = (await this.#segments?.read(first))?.filter((event) => event.sequence > sequence) ?? [];
      const [earliest] = events;
      if (earliest !== undefined) return events.slice(0, limit);
    }
    return this.#recentAfter(sequence, limit);
  }

  /** The newest sequence number. */
  get last(): number {
    return this.#last;
  }

  /** Resolves after the next event, after `limitMs`, or when `signal` is aborted; true when it was an event. */
  next(limitMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#pulse.next(limitMs, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#flush();
    await this.#segments?.[Symbol.asyncDispose]();
  }

  #recentAfter(sequence: number, limit: number): readonly VehicleEvent[] {
    const from = this.#recent.findIndex((event) => event.sequence > sequence);
    return from === -1 ? [] : this.#recent.slice(from, from + limit);
  }

  async *#backwards(before: number, signal: AbortSignal): AsyncGenerator<VehicleEvent> {
    const recent = this.#recent.filter(({ sequence }) => sequence < before);
    const oldest = Math.min(before, this.#recent[0]?.sequence ?? Number.POSITIVE_INFINITY);
    yield* recent.reverse();
    const firsts = this.#segments?.firsts ?? [];
    for (const first of firsts.filter((one) => one < oldest).reverse()) {
      signal.throwIfAborted();
      const events = (await this.#segments?.read(first)) ?? [];
      yield* events.filter(({ sequence }) => sequence < oldest).reverse();
    }
  }

  #add(happening: Happening): void {
    if (this.#ended) return;
    if (!this.#rate.take(happening.kind)) {
      this.#leftOut += 1;
      return;
    }
    const leftOut = this.#leftOut === 0 ? {} : { events_left_out: String(this.#leftOut) };
    this.#leftOut = 0;
    this.#last += 1;
    const details = { ...happening.details, ...leftOut };
    const event = { ...trimmed({ ...happening, details }), sequence: this.#last, time: Date.now() };
    this.#recent.push(event);
    if (this.#recent.length > maxRecent) this.#recent.splice(0, this.#recent.length - maxRecent);
    if (this.#segments !== undefined) this.#unwritten.push(event);
    if (this.#unwritten.length > maxUnwritten) this.#unwritten.shift();
    this.#pulse.beat();
  }

  /** One write at a time; who comes meanwhile is written with the next. */
  #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const batch = this.#unwritten;
    const [first] = batch;
    if (first === undefined || this.#segments === undefined) return;
    this.#unwritten = [];
    try {
      await this.#segments.append(first.sequence, Buffer.from(batch.map(eventToLine).join('')));
      if (this.#failing) this.#log.info({}, 'the journal of events is written again');
      this.#failing = false;
    } catch (error) {
      this.#unwritten = [...batch, ...this.#unwritten].slice(-maxUnwritten);
      if (!this.#failing) this.#log.error({ err: error }, 'the journal of events cannot be written');
      this.#failing = true;
      if (!this.#ended) this.#timer ??= setTimeout(() => void this.#flush(), retryMs);
    }
  }
}
