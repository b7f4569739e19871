import { join } from 'node:path';
import { type ClockJump, ClockWatch } from '#diagnostics/clock/clock-watch.ts';
import type { LaneStatus } from '#diagnostics/diagnostics-status.ts';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import type { Message } from '#diagnostics/messages/types.ts';
import { Backlog, type Pending } from './backlog.ts';
import { Lane, type NewSegment } from './lane.ts';
import { type Priority, priorities } from './priority.ts';
import { Room, type RoomOptions } from './room.ts';
import { ageOf, originOf } from './segment.ts';
import { SpoolDisk } from './spool-disk.ts';

export interface SpoolOptions extends RoomOptions {
  readonly directory: string;
  /** An open segment is sealed at this size, or at this age in milliseconds. */
  readonly segmentBytes: number;
  /** What the receiver takes, should that be less; asked again and again. */
  readonly largestSegment?: () => number;
  readonly segmentAgeMs: number;
  /** Encoded bytes that wait in memory while the disk takes nothing; beyond them the oldest are dropped. */
  readonly memoryBytes: number;
  /** Time until a disk that took nothing is tried again, in milliseconds. */
  readonly retryMs: number;
  readonly metadata: (segment: SegmentPlan) => Record<string, string>;
  /** Told when the wall clock was set; what is stored from then on is in other segments than what came before. */
  readonly onClockJump?: (jump: ClockJump) => void;
}

/** What the metadata of a segment is made from. */
export interface SegmentPlan extends NewSegment {
  readonly priority: Priority;
  readonly campaign: string;
  /** In the first segment after the wall clock was set. */
  readonly jump: ClockJump | undefined;
}

/** Counts since the start. */
export interface SpoolCounts {
  /** Bytes on disk, open segments included. */
  readonly bytes: number;
  readonly segments: number;
  /** Messages that wait in memory because the disk takes nothing. */
  readonly waiting: number;
  /** Messages that were given up because neither disk nor memory had room. */
  readonly dropped: number;
  /** Segments that were removed to keep to the quotas, and for their age. */
  readonly evicted: number;
  readonly expired: number;
  readonly quarantined: number;
  /** Segments that a crash had left open and that were kept. */
  readonly recovered: number;
  /** Milliseconds since the oldest segment was begun, as far as anybody can tell; 0 when there is none. */
  readonly oldestAgeMs: number;
}

/** What belongs to no campaign. */
const noCampaign = '';
const nobody = { priority: 'normal', campaign: noCampaign } as const;
const expireEveryMs = 60_000;

/**
 * Keeps messages on disk until they are uploaded. What `append` has acknowledged survives a power cut; a disk that is full,
 * read-only or broken, from the start or later, costs messages, which are counted, and never anything else: no call fails
 * because of it.
 */
export class Spool implements AsyncDisposable {
  readonly #options: SpoolOptions;
  readonly #disk: SpoolDisk;
  readonly #room: Room;
  readonly #watch: ClockWatch;
  readonly #backlog = new Backlog();
  readonly #lanes = new Map<string, { readonly priority: Priority; readonly lane: Lane; jumps: number }>();
  #writing: Promise<void> | undefined;
  #failing = false;
  #failedAt = 0;
  #isFull = false;
  #expiredAt: number;
  #jump: ClockJump | undefined;
  #jumps = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<() => void>();

  private constructor(options: SpoolOptions) {
    this.#options = options;
    this.#disk = new SpoolDisk(options, () => this.#kept());
    this.#room = new Room(options, (segment) => this.#disk.isProtected(segment));
    this.#watch = new ClockWatch(options.clock);
    this.#expiredAt = options.clock.now();
  }

  /** Opens the spool and recovers what the last life left open; if the disk does not let it, that is tried again later. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options);
    await spool.#serially(async () => {
      const shelf = await spool.#disk.mount();
      await spool.#room.expire(shelf);
    });
    const tick = Math.min(1000, Math.max(10, options.segmentAgeMs / 4, Math.min(options.retryMs, 250)));
    spool.#timer = setInterval(() => spool.#tick(), tick).unref();
    return spool;
  }

  /**
   * Stores messages: all of them in one block, with others of the same campaign and priority that come at the same time.
   * Resolves with true once they are durable, with false if they had to be dropped. What is critical can be uploaded at
   * once. Errors: MessageError for a message that cannot be encoded.
   */
  append(priority: Priority, messages: readonly Message[], campaign = noCampaign): Promise<boolean> {
    if (messages.length === 0) return Promise.resolve(true);
    const bytes = encodeMessage('MessageSequence', { seq: messages });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#backlog.add({ priority, campaign, bytes, done: resolve });
    // A disk that takes nothing is tried again now and then, not for every message.
    if (this.#failing) this.#backlog.dropBeyond(this.#options.memoryBytes);
    else this.#writing ??= this.#write();
    return promise;
  }

  /** Seals what is open, so that it can be uploaded: of one priority, or of all. */
  async seal(priority?: Priority): Promise<void> {
    await this.#serially(async () => {
      for (const entry of this.#lanes.values()) {
        if (priority === undefined || entry.priority === priority) await this.#sealLane(entry);
      }
    });
  }

  /** An update begins or has ended: while one is under way, its critical segments stay whatever room is needed. */
  async updateUnderWay(active: boolean): Promise<void> {
    await this.#serially(() => this.#disk.setSession(active));
  }

  /** Sealed segments; undefined while the disk has not let us open the spool. */
  get shelf() {
    return this.#disk.shelf;
  }

  get counts(): SpoolCounts {
    const { lanes, shelf } = this;
    const { clock } = this.#options;
    const ages = (shelf?.segments() ?? []).map((segment) => ageOf(segment, clock) ?? 0);
    const open = [...this.#lanes.values()].map(({ lane }) => lane.openAgeMs ?? 0);
    return {
      bytes: lanes.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: lanes.reduce((sum, { segments }) => sum + segments, 0),
      waiting: this.#backlog.length,
      dropped: this.#backlog.dropped,
      evicted: this.#room.evicted,
      expired: this.#room.expired,
      quarantined: shelf?.quarantined ?? 0,
      recovered: shelf?.recovered ?? 0,
      oldestAgeMs: [...ages, ...open].reduce((oldest, age) => Math.max(oldest, age), 0),
    };
  }

  /** What each priority holds on disk, open segments included. */
  get lanes(): readonly LaneStatus[] {
    return priorities.map((priority) => {
      const open = [...this.#lanes.values()].filter(
        (entry) => entry.priority === priority && entry.lane.openBytes > 0,
      );
      return {
        priority,
        segments: (this.shelf?.countOf(priority) ?? 0) + open.length,
        bytes: (this.shelf?.bytesOf(priority) ?? 0) + this.#openBytes(priority),
      };
    });
  }

  /** Calls `listener` whenever a segment was sealed; returns how to stop that. */
  onSealed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Seals everything. What the disk does not take is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    // What was done under way may have begun the next: two writers would get into each other's segments.
    while (this.#writing !== undefined) await this.#writing;
    if (this.#backlog.length > 0) await (this.#writing = this.#write());
    for (const entry of this.#lanes.values()) {
      await this.#sealLane(entry).catch(() => {});
      await entry.lane.abandon();
    }
    this.#backlog.dropBeyond(0);
    await this.#disk[Symbol.asyncDispose]();
  }

  /** One writer: everything of one campaign and priority that has come by the time it looks goes into one block. */
  async #write(): Promise<void> {
    // What is appended in the same turn shares the block.
    await Promise.resolve();
    while (this.#backlog.length > 0) {
      const batch = this.#backlog.next();
      const { priority, campaign } = batch[0] ?? nobody;
      const entry = this.#laneOf(priority, campaign);
      try {
        if (!(await this.#store(batch, entry))) continue;
      } catch (error) {
        this.#disk.abandon(priority, await entry.lane.abandon());
        if (await this.#giveUpOlder(error, priority)) continue;
        this.#tell(error);
        this.#backlog.dropBeyond(this.#options.memoryBytes);
        break;
      }
      if (this.#failing) this.#options.log.info({}, 'diagnostics are stored again');
      this.#failing = false;
      if (priority === 'critical' || entry.lane.openBytes >= this.#segmentBytes(priority)) {
        await this.#sealLane(entry).catch((error: unknown) => this.#tell(error));
      }
    }
    this.#writing = undefined;
  }

  /** False when there is no room and they are given up. Errors: those of the file system. */
  async #store(
    batch: readonly Pending[],
    { priority, lane }: { priority: Priority; lane: Lane },
  ): Promise<boolean> {
    const shelf = await this.#disk.mount();
    await this.#checkClock();
    const bytes = batch.reduce((sum, entry) => sum + entry.bytes.length, 0);
    if (!(await this.#room.make(shelf, priority, bytes, (of) => this.#openBytes(of)))) {
      if (!this.#isFull)
        this.#options.log.warn({ priority }, 'the spool is full of what matters more: dropping');
      this.#isFull = true;
      this.#backlog.drop(batch);
      return false;
    }
    this.#isFull = false;
    await lane.append(batch.map((entry) => entry.bytes));
    this.#backlog.stored(batch);
    return true;
  }

  /** On a full disk, something less important is let go for what matters more. False when that cannot help. */
  async #giveUpOlder(error: unknown, priority: Priority): Promise<boolean> {
    const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    if (!isFull || this.shelf === undefined) return false;
    return this.#room.evictFor(this.shelf, priority).catch(() => false);
  }

  #laneOf(priority: Priority, campaign: string) {
    const key = `${priority}/${campaign}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const { metadata, clock, directory } = this.#options;
    const lane = new Lane({
      directory: join(directory, priority),
      nextSequence: () => this.#disk.nextSequence(),
      metadata: (segment) => {
        const jump = entry.jumps === this.#jumps ? undefined : this.#jump;
        entry.jumps = this.#jumps;
        return metadata({ ...segment, priority, campaign, jump });
      },
      now: clock.now,
    });
    const entry = { priority, lane, jumps: 0 };
    this.#lanes.set(key, entry);
    return entry;
  }

  /** Runs `work` while no block is written. */
  async #serially(work: () => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#writing = work()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#writing = undefined;
        if (this.#backlog.length > 0 && !this.#failing) this.#writing = this.#write();
      });
    await this.#writing;
  }

  async #sealLane({ priority, lane }: { readonly priority: Priority; readonly lane: Lane }): Promise<void> {
    const sealed = await lane.seal();
    if (sealed === undefined) return;
    const { metadata, ...segment } = sealed;
    this.shelf?.keep({ ...segment, priority, part: '', origin: originOf(metadata) });
  }

  /** Once the wall clock was set, nothing more goes into the segments that were begun before. */
  async #checkClock(): Promise<void> {
    const jump = this.#watch.check();
    if (jump === undefined) return;
    this.#jump = jump;
    this.#jumps++;
    this.#options.log.warn(jump, 'the wall clock was set');
    for (const entry of this.#lanes.values()) await this.#sealLane(entry);
    this.#options.onClockJump?.(jump);
  }

  #segmentBytes(priority: Priority): number {
    const { segmentBytes, largestSegment } = this.#options;
    const wanted = Math.min(segmentBytes, largestSegment?.() ?? segmentBytes);
    return this.#room.segmentBytes(wanted, priority);
  }

  #openBytes(of?: Priority): number {
    let sum = 0;
    for (const { priority, lane } of this.#lanes.values()) {
      if (of === undefined || priority === of) sum += lane.openBytes;
    }
    return sum;
  }

  #kept(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Told once, not for every message. */
  #tell(error: unknown): void {
    if (!this.#failing) {
      this.#options.log.error({ err: error }, 'diagnostics cannot be stored; trying again later');
    }
    this.#failing = true;
    this.#failedAt = this.#options.clock.now();
  }

  /** Seals segments that have become old enough; tries again what the disk did not take. */
  #tick(): void {
    if (this.#writing !== undefined) return;
    const { segmentAgeMs, retryMs, clock } = this.#options;
    const now = clock.now();
    if (this.#failing) {
      if (now - this.#failedAt < retryMs) return;
      if (this.#backlog.length > 0) {
        this.#writing = this.#write();
        return;
      }
    }
    const isExpiryDue = now - this.#expiredAt >= expireEveryMs;
    if (isExpiryDue) this.#expiredAt = now;
    void this.#serially(async () => {
      const shelf = await this.#disk.mount();
      await this.#checkClock();
      for (const entry of this.#lanes.values()) {
        if ((entry.lane.openAgeMs ?? 0) >= segmentAgeMs) await this.#sealLane(entry);
      }
      if (isExpiryDue) await this.#room.expire(shelf);
      this.#failing = false;
    });
  }
}
