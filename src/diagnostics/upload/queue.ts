import { priorities } from '#diagnostics/spool/priority.ts';
import type { SpooledSegment } from '#diagnostics/spool/segment.ts';
import type { Shelf } from '#diagnostics/spool/shelf.ts';

/** Segments that are filed under one name at the receiver: our own, or those of a child. */
export interface UploadShelf {
  readonly vehicleId: string;
  readonly shelf: Shelf;
}

export interface QueuedSegment extends UploadShelf {
  readonly segment: SpooledSegment;
}

/** Failures of one segment, answered by the receiver, after which others go first. */
const patience = 3;

/**
 * Which segment is next: the most important, the newest critical ones first, then the oldest; of several ECUs in turn, so that
 * one that has much to tell does not silence the others. A segment that fails again and again lets others go first.
 */
export class UploadQueue {
  readonly #shelves: () => readonly UploadShelf[];
  readonly #failures = new Map<string, number>();
  readonly #servedAt = new Map<Shelf, number>();
  #turn = 0;

  constructor(shelves: () => readonly UploadShelf[]) {
    this.#shelves = shelves;
  }

  /** Undefined when nothing waits. With `smallest`, the size comes before everything. */
  next(smallest: boolean): QueuedSegment | undefined {
    const firsts = this.#shelves().flatMap(({ vehicleId, shelf }): QueuedSegment[] => {
      const all = shelf.segments();
      const able = all.filter(({ id }) => !this.#isStuck(id));
      const candidates = able.length > 0 ? able : all;
      const segment = smallest ? candidates.toSorted((a, b) => a.bytes - b.bytes)[0] : candidates[0];
      return segment === undefined ? [] : [{ vehicleId, shelf, segment }];
    });
    const rank = ({ segment, shelf }: QueuedSegment): readonly number[] => [
      this.#isStuck(segment.id) ? (this.#failures.get(segment.id) ?? 0) : 0,
      smallest ? segment.bytes : 0,
      priorities.indexOf(segment.priority),
      this.#servedAt.get(shelf) ?? 0,
    ];
    return firsts.toSorted((a, b) => compare(rank(a), rank(b)))[0];
  }

  /** It is its ECU's turn no more. */
  served({ shelf, segment }: QueuedSegment): void {
    this.#servedAt.set(shelf, ++this.#turn);
    this.#failures.delete(segment.id);
  }

  /** The receiver answered it with an error. */
  failed({ segment }: QueuedSegment): void {
    this.#failures.set(segment.id, (this.#failures.get(segment.id) ?? 0) + 1);
    // Ids of segments that were evicted meanwhile.
    const [first] = this.#failures.keys();
    if (this.#failures.size > 256 && first !== undefined) this.#failures.delete(first);
  }

  #isStuck(id: string): boolean {
    return (this.#failures.get(id) ?? 0) >= patience;
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, one] of a.entries()) {
    const other = b[i] ?? 0;
    if (one !== other) return one - other;
  }
  return 0;
}
