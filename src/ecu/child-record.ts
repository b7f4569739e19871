import type { EcuId } from '#domain/ecu.ts';
import type { EcuStatus } from '#domain/status.ts';

/** Most ECUs remembered for one child, those that it does not report any more included. */
const maxRemembered = 512;

/** The last that was heard of one ECU. */
export interface Sighting {
  readonly status: EcuStatus;
  /** Monotonic milliseconds. */
  readonly seenAt: number;
  /** Unix time in milliseconds. */
  readonly seenTime: number;
}

/** What is known of one child and of what lies below it. Nothing is forgotten when the child falls silent. */
export class ChildRecord {
  readonly id: EcuId;
  readonly #sightings = new Map<EcuId, Sighting>();
  #current: ReadonlySet<EcuId> = new Set();
  #lastAskedAt: number | undefined;
  #misses = 0;
  #silentSince = 0;

  constructor(id: EcuId) {
    this.id = id;
  }

  /** Everything that was ever reported by it, in the order of first contact. */
  get sightings(): ReadonlyMap<EcuId, Sighting> {
    return this.#sightings;
  }

  /** What its last report held. */
  get current(): ReadonlySet<EcuId> {
    return this.#current;
  }

  /** When the poll was sent that brought the last report; undefined before the first. */
  get lastAskedAt(): number | undefined {
    return this.#lastAskedAt;
  }

  /** Whether it has answered a poll, or let one pass. */
  get wasPolled(): boolean {
    return this.#lastAskedAt !== undefined || this.#misses > 0;
  }

  /** Takes the report that came at `now` to a poll that was sent at `askedAt`. */
  take(ecus: readonly EcuStatus[], askedAt: number, now: number): void {
    this.#lastAskedAt = askedAt;
    this.#misses = 0;
    this.#current = new Set(ecus.map(({ ecuId }) => ecuId));
    const seenTime = Date.now();
    for (const status of ecus) this.#sightings.set(status.ecuId, { status, seenAt: now, seenTime });
    const stale = [...this.#sightings].filter(([id]) => !this.#current.has(id));
    stale.sort(([, a], [, b]) => a.seenAt - b.seenAt);
    const surplus = Math.max(0, this.#sightings.size - maxRemembered);
    for (const [id] of stale.slice(0, surplus)) this.#sightings.delete(id);
  }

  /** It did not answer a poll. */
  miss(now: number): void {
    if (this.#misses === 0) this.#silentSince = now;
    this.#misses += 1;
  }

  /**
   * One lost answer is no silence, and a poll that is not due is none either: silent is who missed polls, more than
   * one, for at least `forMs`.
   */
  isSilent(now: number, forMs: number): boolean {
    return this.#misses >= 2 && now - this.#silentSince >= forMs;
  }

  /** The ECU is found behind another child now. */
  forget(id: EcuId): void {
    this.#sightings.delete(id);
  }
}
