import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppendFile } from '#host/append-file.ts';
import { makeDirectoryDurably, removeDurably, syncDirectory } from '#host/durable-file.ts';
import type { VehicleEvent } from './event.ts';
import { eventsIn } from './event-line.ts';

/** A file of the journal, by the sequence of its first event. */
interface Segment {
  readonly first: number;
  bytes: number;
}

const namePattern = /^events-(\d{16})\.jsonl$/;

/** Larger files than this are none of ours. */
const maxReadBytes = 4 * 1024 * 1024;

/**
 * The journal on disk: files of lines that only grow, the oldest removed when there are too many. Calls must not overlap,
 * except `read`. Errors: those of the file system.
 */
export class EventSegments implements AsyncDisposable {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  #file: AppendFile | undefined;

  private constructor(directory: string, maxBytes: number, segments: Segment[]) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#segmentBytes = Math.min(262_144, Math.floor(maxBytes / 8));
    this.#segments = segments;
  }

  /** Opens what is there, and cuts off what a power cut left half written. Answers the newest events with it. */
  static async open(
    directory: string,
    maxBytes: number,
  ): Promise<{ readonly segments: EventSegments; readonly newest: readonly VehicleEvent[] }> {
    await makeDirectoryDurably(directory, 0o700);
    const found = (await readdir(directory))
      .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
      .map((digits): Segment => ({ first: Number(digits), bytes: 0 }))
      .sort((one, other) => one.first - other.first);
    const all = new EventSegments(directory, maxBytes, found);
    for (const segment of found) {
      // Sizes that are not known count as full ones.
      segment.bytes = all.#segmentBytes;
    }
    const last = found.at(-1);
    if (last === undefined) return { segments: all, newest: [] };
    const content = await readFile(all.#path(last));
    const { events, wholeBytes } = eventsIn(content);
    last.bytes = wholeBytes;
    if (content.length < maxReadBytes) all.#file = await AppendFile.reopen(all.#path(last), wholeBytes);
    // A file whose events are all damaged still has a name.
    return { segments: all, newest: events };
  }

  /** Sequence numbers with which the files begin, oldest first. */
  get firsts(): readonly number[] {
    return this.#segments.map(({ first }) => first);
  }

  /** Durable when it resolves. After an error nothing of `lines` counts. */
  async append(first: number, lines: Buffer): Promise<void> {
    let last = this.#segments.at(-1);
    if (this.#file === undefined || last === undefined || last.bytes + lines.length > this.#segmentBytes) {
      last = await this.#begin(first);
    }
    await this.#file?.append(lines);
    last.bytes += lines.length;
  }

  /** The events of the file that begins with `first`; none when it is gone or cannot be read. */
  async read(first: number): Promise<readonly VehicleEvent[]> {
    try {
      return eventsIn(await readFile(this.#path({ first }))).events;
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
  }

  async #begin(first: number): Promise<Segment> {
    await this[Symbol.asyncDispose]();
    const segment: Segment = { first, bytes: 0 };
    this.#file = await AppendFile.create(this.#path(segment));
    this.#segments.push(segment);
    await syncDirectory(this.#directory);
    let bytes = this.#segments.reduce((sum, one) => sum + one.bytes, this.#segmentBytes);
    while (bytes > this.#maxBytes && this.#segments.length > 1) {
      const [oldest] = this.#segments.splice(0, 1);
      if (oldest === undefined) break;
      bytes -= oldest.bytes;
      await removeDurably(this.#path(oldest));
    }
    return segment;
  }

  #path({ first }: Pick<Segment, 'first'>): string {
    return join(this.#directory, `events-${String(first).padStart(16, '0')}.jsonl`);
  }
}
