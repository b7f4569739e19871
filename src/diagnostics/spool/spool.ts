import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LaneStatus } from '#diagnostics/diagnostics-status.ts';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import type { Message } from '#diagnostics/messages/types.ts';
import type { Log } from '#domain/log.ts';
import { makeDirectoryDurably, removeDurably, renameDurably, writeDurably } from '#host/durable-file.ts';
import { Lane, type LaneSource } from './lane.ts';
import { type Priority, priorities } from './priority.ts';
import { recoverSegment } from './recover.ts';
import { type SpooledSegment, scanSpool } from './scan.ts';
import { parseSegmentName, segmentFileName } from './segment-name.ts';
import { SequenceFile } from './sequence-file.ts';
import { halfIds, splitSegment } from './split.ts';

/** Segments that are put aside; older ones go. */
const maxQuarantined = 32;

export interface SpoolOptions {
  readonly directory: string;
  /** Bytes of all segments together; the oldest of the least priority go first. */
  readonly quotaBytes: number;
  /** An open segment is sealed at this size, or at this age in milliseconds. */
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  /** Encoded bytes that wait in memory while the disk takes nothing; beyond them the oldest are dropped. */
  readonly memoryBytes: number;
  readonly metadata: LaneSource['metadata'];
  /** Monotonic clock in milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}

/** Counts since the start. */
export interface SpoolCounts {
  /** Bytes on disk, open segments included. */
  readonly bytes: number;
  readonly segments: number;
  /** Messages that wait in memory because the disk takes nothing. */
  readonly waiting: number;
  /** Messages that were given up because memory was full. */
  readonly dropped: number;
  /** Segments that were removed to keep to the quota. */
  readonly evicted: number;
  /** Segments that a crash had left open and that were kept. */
  readonly recovered: number;
}

interface Pending {
  readonly priority: Priority;
  readonly bytes: Buffer;
  readonly done: (stored: boolean) => void;
}

/**
 * Keeps messages on disk until they are uploaded. What `append` has acknowledged survives a power cut; a disk that is full
 * or broken costs messages, which are counted, and never anything else: no call but `open` fails because of it.
 */
export class Spool implements AsyncDisposable {
  readonly #options: SpoolOptions;
  readonly #lanes: Readonly<Record<Priority, Lane>>;
  readonly #sealed = new Map<string, SpooledSegment>();
  #pending: Pending[] = [];
  /** Segments that an error of the disk cut short; they hold acknowledged blocks. */
  readonly #abandoned: { readonly priority: Priority; readonly path: string }[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #dropped = 0;
  #evicted = 0;
  #recovered = 0;
  #failing = false;
  #ageTimer: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<() => void>();

  private constructor(options: SpoolOptions, sequence: SequenceFile) {
    this.#options = options;
    const { metadata, now } = options;
    const lane = (priority: Priority): Lane =>
      new Lane({
        directory: join(options.directory, priority),
        nextSequence: () => sequence.next(),
        metadata,
        now,
      });
    this.#lanes = { critical: lane('critical'), normal: lane('normal'), bulk: lane('bulk') };
  }

  /** Opens the spool and recovers what the last life left open. Errors: those of the file system. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { directory, log } = options;
    const { segments, highest, recovered } = await scanSpool(directory, log);
    const spool = new Spool(options, await SequenceFile.open(join(directory, 'sequence'), highest));
    spool.#recovered = recovered;
    for (const segment of segments) spool.#sealed.set(segment.id, segment);
    return spool;
  }

  /**
   * Stores messages: all of them in one block, with others that come at the same time. Resolves with true once they are
   * durable, with false if they had to be dropped. Errors: MessageError for a message that cannot be encoded.
   */
  append(priority: Priority, messages: readonly Message[]): Promise<boolean> {
    if (messages.length === 0) return Promise.resolve(true);
    const bytes = encodeMessage('MessageSequence', { seq: messages });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pending.push({ priority, bytes, done: resolve });
    this.#pendingBytes += bytes.length;
    this.#writing ??= this.#write();
    return promise;
  }

  /** Seals what is open, so that it can be uploaded: of one priority, or of all. */
  async seal(priority?: Priority): Promise<void> {
    await this.#serially(async () => {
      for (const name of priority === undefined ? priorities : [priority]) await this.#sealLane(name);
    });
  }

  /** Sealed segments, the most important first: newest critical ones, then the oldest of each priority. */
  sealed(): readonly SpooledSegment[] {
    const all = [...this.#sealed.values()].toSorted((a, b) => a.sequence - b.sequence);
    const critical = all.filter(({ priority }) => priority === 'critical').toReversed();
    const rest = priorities.slice(1).flatMap((name) => all.filter(({ priority }) => priority === name));
    return [...critical, ...rest];
  }

  /** The bytes of a sealed segment. Errors: those of the file system. */
  async read(segment: SpooledSegment): Promise<Buffer> {
    return readFile(segment.path);
  }

  /** Forgets a segment that is stored elsewhere, durably. Errors: those of the file system. */
  async remove({ id, path }: SpooledSegment): Promise<void> {
    await removeDurably(path);
    this.#sealed.delete(id);
  }

  /** Replaces a segment by its two halves. False when it has one block only. Errors: MessageError, the file system's. */
  async split(segment: SpooledSegment): Promise<boolean> {
    const halves = splitSegment(segment.id, await this.read(segment));
    if (halves === undefined) return false;
    const ids = halfIds(segment.id);
    const made: SpooledSegment[] = [];
    for (const [i, bytes] of halves.entries()) {
      const id = ids[i] ?? '';
      // Both have the parent's place in the order.
      const path = join(dirname(segment.path), segmentFileName(segment.sequence, id));
      await writeDurably(path, bytes, 0o600);
      made.push({ ...segment, id, path, bytes: bytes.length });
    }
    await this.remove(segment);
    for (const half of made) this.#keep(half);
    return true;
  }

  /** Puts a segment where nothing touches it but a person; the newest few are kept. */
  async quarantine(segment: SpooledSegment, why: string): Promise<void> {
    const directory = join(this.#options.directory, 'quarantine');
    await makeDirectoryDurably(directory, 0o700);
    const kept = (await readdir(directory)).filter((name) => name.endsWith('.avro')).toSorted();
    for (const name of kept.slice(0, Math.max(0, kept.length - maxQuarantined + 1))) {
      await removeDurably(join(directory, name));
      await removeDurably(join(directory, `${name}.why`));
    }
    const target = join(directory, basename(segment.path));
    await writeDurably(`${target}.why`, `${why}\n`, 0o600);
    await renameDurably(segment.path, target);
    this.#sealed.delete(segment.id);
  }

  get counts(): SpoolCounts {
    const { lanes } = this;
    return {
      bytes: lanes.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: lanes.reduce((sum, { segments }) => sum + segments, 0),
      waiting: this.#pending.length,
      dropped: this.#dropped,
      evicted: this.#evicted,
      recovered: this.#recovered,
    };
  }

  /** What each priority holds on disk, open segments included. */
  get lanes(): readonly LaneStatus[] {
    return priorities.map((priority) => {
      const sizes = [...this.#sealed.values()].flatMap((one) => (one.priority === priority ? one.bytes : []));
      const { openBytes } = this.#lanes[priority];
      if (openBytes > 0) sizes.push(openBytes);
      return { priority, segments: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
    });
  }

  /** Calls `listener` whenever a segment was sealed; returns how to stop that. */
  onSealed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Seals everything. What the disk does not take is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#ageTimer);
    await this.#writing;
    for (const name of priorities) {
      await this.#sealLane(name).catch(() => {});
      await this.#lanes[name].abandon();
    }
    this.#drop(0);
  }

  /** One writer: everything that has come by the time it looks goes into one block per priority. */
  async #write(): Promise<void> {
    // What is appended in the same turn shares the block.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const { priority } = this.#pending[0] ?? { priority: 'normal' };
      const batch = this.#pending.filter((entry) => entry.priority === priority);
      try {
        await this.#recoverAbandoned();
        await this.#makeRoom(batch.reduce((sum, { bytes }) => sum + bytes.length, 0));
        await this.#lanes[priority].append(batch.map(({ bytes }) => bytes));
        this.#failing = false;
      } catch (error) {
        this.#tell(error);
        const path = await this.#lanes[priority].abandon();
        if (path !== undefined) this.#abandoned.push({ priority, path });
        this.#drop(this.#options.memoryBytes);
        break;
      }
      const stored = new Set(batch);
      this.#pending = this.#pending.filter((entry) => !stored.has(entry));
      for (const { bytes, done } of batch) {
        this.#pendingBytes -= bytes.length;
        done(true);
      }
      if (this.#lanes[priority].openBytes >= this.#options.segmentBytes) {
        await this.#sealLane(priority).catch((error: unknown) => this.#tell(error));
      }
    }
    this.#writing = undefined;
    this.#watchAge();
  }

  /** Runs `work` while no block is written. */
  async #serially(work: () => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#writing = work()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#writing = undefined;
        if (this.#pending.length > 0 && !this.#failing) this.#writing = this.#write();
      });
    await this.#writing;
  }

  async #sealLane(priority: Priority): Promise<void> {
    const segment = await this.#lanes[priority].seal();
    if (segment !== undefined) this.#keep({ ...segment, priority });
  }

  #keep(segment: SpooledSegment): void {
    this.#sealed.set(segment.id, segment);
    for (const listener of this.#listeners) listener();
  }

  async #recoverAbandoned(): Promise<void> {
    for (let next = this.#abandoned[0]; next !== undefined; next = this.#abandoned[0]) {
      const { blocks } = await recoverSegment(next.path);
      this.#abandoned.shift();
      const path = next.path.slice(0, -'.open'.length);
      const name = parseSegmentName(basename(path));
      if (blocks === 0 || name === undefined) continue;
      this.#keep({
        id: name.id,
        sequence: name.sequence,
        priority: next.priority,
        path,
        bytes: (await stat(path)).size,
      });
    }
  }

  /** Removes the oldest segments of the least priority until `bytes` more fit. */
  async #makeRoom(bytes: number): Promise<void> {
    const { quotaBytes } = this.#options;
    while (this.counts.bytes + bytes > quotaBytes) {
      const victim = priorities
        .toReversed()
        .map((name) => [...this.#sealed.values()].find(({ priority }) => priority === name))
        .find((segment) => segment !== undefined);
      if (victim === undefined) return;
      await this.remove(victim);
      this.#evicted++;
      this.#options.log.warn(
        { segment: victim.id, priority: victim.priority },
        'the spool is full: removed a segment',
      );
    }
  }

  /** Gives up the oldest of the least priority until what waits fits into `memoryBytes`. */
  #drop(memoryBytes: number): void {
    while (this.#pendingBytes > memoryBytes) {
      const victim = priorities
        .toReversed()
        .map((name) => this.#pending.find(({ priority }) => priority === name))
        .find((entry) => entry !== undefined);
      if (victim === undefined) return;
      this.#pending.splice(this.#pending.indexOf(victim), 1);
      this.#pendingBytes -= victim.bytes.length;
      this.#dropped++;
      victim.done(false);
    }
  }

  /** Told once, not for every message. */
  #tell(error: unknown): void {
    if (!this.#failing)
      this.#options.log.error({ err: error }, 'diagnostics cannot be stored; trying again later');
    this.#failing = true;
  }

  /** Seals segments that have become old enough; tries again what the disk did not take. */
  #watchAge(): void {
    clearTimeout(this.#ageTimer);
    const ages = priorities
      .map((name) => this.#lanes[name].openAgeMs)
      .filter((_, i) => {
        const name = priorities[i];
        return name !== undefined && this.#lanes[name].openBytes > 0;
      });
    const { segmentAgeMs } = this.#options;
    if (ages.length === 0 && this.#pending.length === 0) return;
    const wait = Math.max(10, segmentAgeMs - Math.max(0, ...ages));
    this.#ageTimer = setTimeout(() => {
      void this.#serially(async () => {
        for (const name of priorities) {
          if (this.#lanes[name].openAgeMs >= segmentAgeMs) await this.#sealLane(name);
        }
      }).then(() => {
        if (this.#pending.length > 0) this.#writing ??= this.#write();
        else this.#watchAge();
      });
    }, wait).unref();
  }
}
