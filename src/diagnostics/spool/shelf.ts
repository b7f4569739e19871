import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '#domain/log.ts';
import { makeDirectoryDurably, removeDurably, writeDurably } from '#host/durable-file.ts';
import { DoneJournal } from './done-journal.ts';
import { type Priority, priorities } from './priority.ts';
import { Quarantine } from './quarantine.ts';
import { withMetadata } from './rewrite.ts';
import { mendSegment, scanSpool } from './scan.ts';
import type { SpooledSegment } from './segment.ts';
import { bySequence, derivedId, segmentFileName, sumsPath } from './segment-name.ts';
import { halfIds, splitSegment } from './split.ts';
import { readSums, sealLine, sha256Of, writeSegment } from './sums.ts';

/** Bytes of a segment that are what was sealed. */
export interface ReadSegment {
  readonly bytes: Buffer;
  /** SHA-256, lower-case hex. */
  readonly sha256: string;
}

/** Where segments wait for their upload: sealed ones of one spool, on disk, and what is known of those that are gone. */
export class Shelf implements AsyncDisposable {
  readonly #directory: string;
  readonly #log: Log;
  readonly #quarantine: Quarantine;
  readonly #done: DoneJournal;
  readonly #segments = new Map<string, SpooledSegment>();
  readonly #bytes: Record<Priority, number> = { critical: 0, normal: 0, bulk: 0 };
  readonly #listeners = new Set<() => void>();
  /** Highest sequence number that was ever used, as far as the directory tells. */
  readonly highest: number;
  /** Segments that a crash had left open and that were kept. */
  readonly recovered: number;
  /** Segments that were put aside since the start. */
  quarantined = 0;

  private constructor(
    place: { readonly directory: string; readonly log: Log; readonly quarantine: Quarantine },
    done: DoneJournal,
    contents: { readonly highest: number; readonly recovered: number },
  ) {
    this.#directory = place.directory;
    this.#log = place.log;
    this.#quarantine = place.quarantine;
    this.#done = done;
    const used = [...done.digests.values()].map(({ sequence }) => sequence);
    this.highest = used.reduce((a, b) => Math.max(a, b), contents.highest);
    this.recovered = contents.recovered;
  }

  /** Makes the directories and mends what the last life left. Errors: those of the file system. */
  static async open(directory: string, log: Log): Promise<Shelf> {
    await makeDirectoryDurably(directory, 0o700);
    const done = await DoneJournal.open(join(directory, 'done'));
    const quarantine = new Quarantine(join(directory, 'quarantine'));
    const isDone = (id: string): boolean => done.digests.has(id);
    const contents = await scanSpool({ directory, quarantine, isDone, log });
    const shelf = new Shelf({ directory, log, quarantine }, done, contents);
    for (const segment of contents.segments) shelf.#put(segment);
    return shelf;
  }

  /** The most important first: newest critical ones, then the oldest of each priority. */
  segments(): readonly SpooledSegment[] {
    const all = [...this.#segments.values()].toSorted(bySequence);
    const critical = all.filter(({ priority }) => priority === 'critical').toReversed();
    const rest = priorities.slice(1).flatMap((name) => all.filter(({ priority }) => priority === name));
    return [...critical, ...rest];
  }

  /** The one of a priority that was begun first, of those that pass. */
  oldest(priority: Priority, passes: (segment: SpooledSegment) => boolean): SpooledSegment | undefined {
    let oldest: SpooledSegment | undefined;
    for (const segment of this.#segments.values()) {
      if (segment.priority !== priority || !passes(segment)) continue;
      if (oldest === undefined || bySequence(segment, oldest) < 0) oldest = segment;
    }
    return oldest;
  }

  /** Bytes of all segments of a priority, or of all. */
  bytesOf(priority?: Priority): number {
    const { critical, normal, bulk } = this.#bytes;
    return priority === undefined ? critical + normal + bulk : this.#bytes[priority];
  }

  countOf(priority: Priority): number {
    let count = 0;
    for (const segment of this.#segments.values()) if (segment.priority === priority) count++;
    return count;
  }

  /** SHA-256 of a segment that is here, or that was here and is stored elsewhere. Errors: those of the file system. */
  async digestOf(id: string): Promise<string | undefined> {
    const here = this.#segments.get(id);
    if (here === undefined) return this.#done.digests.get(id)?.sha256;
    return (await readSums(here.path)).sealed?.sha256 ?? sha256Of(await readFile(here.path));
  }

  /** A segment has come to lie here. */
  keep(segment: SpooledSegment): void {
    this.#put(segment);
    for (const listener of this.#listeners) listener();
  }

  /** Stores a segment that was sealed elsewhere, as it is; durable when it resolves. Errors: those of the file system. */
  async take(
    segment: Pick<SpooledSegment, 'id' | 'sequence' | 'priority' | 'origin'>,
    bytes: Buffer,
    sha256: string,
  ): Promise<void> {
    const name = { ...segment, part: '' };
    const path = join(this.#directory, segment.priority, segmentFileName(name));
    await writeDurably(sumsPath(path), sealLine(sha256, bytes.length), 0o600);
    await writeDurably(path, bytes, 0o600);
    this.keep({ ...name, path, bytes: bytes.length });
  }

  /** Calls `listener` whenever there is one more; returns how to stop that. */
  onKept(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The bytes of a segment, checked against the digest that it was sealed with. Undefined when it is gone, or damaged: then
   * what is left of it has taken its place under another id. Errors: those of the file system.
   */
  async read(segment: SpooledSegment): Promise<ReadSegment | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(segment.path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      this.#forget(segment);
      return undefined;
    }
    const sha256 = sha256Of(bytes);
    if ((await readSums(segment.path)).sealed?.sha256 === sha256) return { bytes, sha256 };
    const mended = await mendSegment(segment, { quarantine: this.#quarantine, log: this.#log });
    if (mended?.id === segment.id) return { bytes, sha256 };
    this.quarantined++;
    this.#forget(segment);
    if (mended !== undefined) this.keep(mended);
    return undefined;
  }

  /** Forgets a segment that is stored elsewhere, durably; its digest is kept. Errors: those of the file system. */
  async finish(segment: SpooledSegment, sha256: string): Promise<void> {
    await this.#done.add(segment.id, sha256, segment.sequence);
    await this.discard(segment);
  }

  /** Removes a segment, stored elsewhere or not. Errors: those of the file system. */
  async discard(segment: SpooledSegment): Promise<void> {
    await removeDurably(segment.path);
    await removeDurably(sumsPath(segment.path)).finally(() => this.#forget(segment));
  }

  /** Replaces a segment by its two halves. False when it holds one value only. Errors: MessageError, the file system's. */
  async split(segment: SpooledSegment, bytes: Buffer): Promise<boolean> {
    const halves = splitSegment(segment.id, bytes);
    if (halves === undefined) return false;
    const ids = halfIds(segment.id);
    const made: SpooledSegment[] = [];
    for (const [i, half] of halves.entries()) {
      const name = { ...segment, id: ids[i] ?? '', part: `${segment.part}${i}` };
      const path = join(dirname(segment.path), segmentFileName(name));
      await writeSegment(path, half);
      made.push({ ...name, path, bytes: half.length });
    }
    await this.discard(segment);
    for (const half of made) this.keep(half);
    return true;
  }

  /** Lets the contents go on under another id, once, and keeps the original in quarantine. False when that was done before. */
  async renew(segment: SpooledSegment, bytes: Buffer, why: string): Promise<boolean> {
    if (segment.origin.isRenewed) return false;
    const id = derivedId(segment.id, 'again');
    const renewed = withMetadata(bytes, { 'segment.id': id, 'segment.renewed_from': segment.id });
    const path = join(dirname(segment.path), segmentFileName({ ...segment, id }));
    await writeSegment(path, renewed);
    await this.quarantine(segment, why);
    const origin = { ...segment.origin, isRenewed: true };
    this.keep({ ...segment, id, path, bytes: renewed.length, origin });
    return true;
  }

  /** Puts a segment where nothing touches it but a person. Errors: those of the file system. */
  async quarantine(segment: SpooledSegment, why: string): Promise<void> {
    await this.#quarantine.take(segment.path, why);
    this.quarantined++;
    this.#forget(segment);
  }

  /** Keeps a copy of a damaged file that is about to be mended. */
  async keepDamaged(name: string, bytes: Buffer): Promise<void> {
    await this.#quarantine.copy(name, bytes, 'blocks of it were damaged');
    this.quarantined++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#done[Symbol.asyncDispose]();
  }

  #put(segment: SpooledSegment): void {
    const before = this.#segments.get(segment.id);
    if (before !== undefined) this.#forget(before);
    this.#segments.set(segment.id, segment);
    this.#bytes[segment.priority] += segment.bytes;
  }

  #forget({ id, priority, bytes }: SpooledSegment): void {
    if (this.#segments.delete(id)) this.#bytes[priority] -= bytes;
  }
}
