import { type Priority, priorities } from './priority.ts';

/** Messages that are not on disk yet. */
export interface Pending {
  readonly priority: Priority;
  /** Whose segment they belong into; see `Spool.append`. */
  readonly campaign: string;
  readonly bytes: Buffer;
  readonly done: (stored: boolean) => void;
}

/** What waits in memory for the disk, in its order, and what was given up because there was too much of it. */
export class Backlog {
  #waiting: Pending[] = [];
  #bytes = 0;
  /** Messages that were given up. */
  dropped = 0;

  get length(): number {
    return this.#waiting.length;
  }

  add(entry: Pending): void {
    this.#waiting.push(entry);
    this.#bytes += entry.bytes.length;
  }

  /** Everything that belongs into the segment of the first one: the most important first. */
  next(): readonly Pending[] {
    const first = priorities
      .map((name) => this.#waiting.find(({ priority }) => priority === name))
      .find((entry) => entry !== undefined);
    return this.#waiting.filter(
      ({ priority, campaign }) => priority === first?.priority && campaign === first.campaign,
    );
  }

  /** They are on disk. */
  stored(batch: readonly Pending[]): void {
    this.#remove(batch);
    for (const { done } of batch) done(true);
  }

  /** They are given up. */
  drop(batch: readonly Pending[]): void {
    this.#remove(batch);
    this.dropped += batch.length;
    for (const { done } of batch) done(false);
  }

  /** Gives up the oldest of the least priority until the rest fits into so many bytes. */
  dropBeyond(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      const victim = priorities
        .toReversed()
        .map((name) => this.#waiting.find(({ priority }) => priority === name))
        .find((entry) => entry !== undefined);
      if (victim === undefined) return;
      this.drop([victim]);
    }
  }

  #remove(batch: readonly Pending[]): void {
    const gone = new Set(batch);
    this.#waiting = this.#waiting.filter((entry) => !gone.has(entry));
    for (const { bytes } of gone) this.#bytes -= bytes.length;
  }
}
