import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import type { Log } from '#domain/log.ts';
import { type Priority, priorities } from './priority.ts';
import { ageOf, type SpooledSegment } from './segment.ts';
import type { Shelf } from './shelf.ts';

export interface RoomOptions {
  /** Bytes of all segments together. */
  readonly quotaBytes: number;
  /** Bytes of the segments of each priority; 0 for no limit but the common one. */
  readonly laneQuotaBytes: Readonly<Record<Priority, number>>;
  /** Segments that are known to be older go; 0 for never. Milliseconds. */
  readonly ttlMs: number;
  readonly clock: VehicleClock;
  readonly log: Log;
}

/** Keeps a spool within its quotas: what goes first is old, and never more important than what it makes room for. */
export class Room {
  readonly #options: RoomOptions;
  readonly #isProtected: (segment: SpooledSegment) => boolean;
  /** Segments that were removed without having been uploaded: for room, and for their age. */
  evicted = 0;
  expired = 0;

  constructor(options: RoomOptions, isProtected: (segment: SpooledSegment) => boolean) {
    this.#options = options;
    this.#isProtected = isProtected;
  }

  /** An open segment ends no later than at this size, so that a quota always holds several. */
  segmentBytes(wanted: number, priority: Priority): number {
    const { quotaBytes, laneQuotaBytes } = this.#options;
    const quota = laneQuotaBytes[priority] > 0 ? Math.min(quotaBytes, laneQuotaBytes[priority]) : quotaBytes;
    return Math.min(wanted, Math.max(1, Math.floor(quota / 8)));
  }

  /**
   * Removes segments until `bytes` more of a priority fit, with `openBytes` that belong to no segment of the shelf yet.
   * False when they cannot fit. Errors: those of the file system.
   */
  async make(
    shelf: Shelf,
    priority: Priority,
    bytes: number,
    openBytes: (priority?: Priority) => number,
  ): Promise<boolean> {
    const { quotaBytes, laneQuotaBytes } = this.#options;
    // 0 is for no limit of its own.
    const laneQuota = laneQuotaBytes[priority] || quotaBytes;
    while (shelf.bytesOf(priority) + openBytes(priority) + bytes > laneQuota) {
      if (!(await this.#evict(shelf, [priority]))) return false;
    }
    const expendable = priorities.slice(priorities.indexOf(priority)).toReversed();
    while (shelf.bytesOf() + openBytes() + bytes > quotaBytes) {
      if (!(await this.#evict(shelf, expendable))) return false;
    }
    return true;
  }

  /** Removes one segment that matters less than this priority. False when there is none. Errors: those of the file system. */
  async evictFor(shelf: Shelf, priority: Priority): Promise<boolean> {
    return this.#evict(shelf, priorities.slice(priorities.indexOf(priority) + 1).toReversed());
  }

  /** Removes what is too old. Errors: those of the file system. */
  async expire(shelf: Shelf): Promise<void> {
    const { ttlMs, clock, log } = this.#options;
    if (ttlMs === 0) return;
    for (const segment of shelf.segments()) {
      const age = ageOf(segment, clock);
      if (age === undefined || age <= ttlMs || this.#isProtected(segment)) continue;
      await shelf.discard(segment);
      this.expired++;
      log.warn({ segment: segment.id, priority: segment.priority }, 'removed a segment for its age');
    }
  }

  async #evict(shelf: Shelf, lanes: readonly Priority[]): Promise<boolean> {
    for (const lane of lanes) {
      const victim = shelf.oldest(lane, (segment) => !this.#isProtected(segment));
      if (victim === undefined) continue;
      await shelf.discard(victim);
      this.evicted++;
      this.#options.log.warn(
        { segment: victim.id, priority: victim.priority },
        'the spool is full: removed a segment',
      );
      return true;
    }
    return false;
  }
}
