import { readdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import { type Priority, priorities } from '#diagnostics/spool/priority.ts';
import { originOf } from '#diagnostics/spool/segment.ts';
import { Shelf } from '#diagnostics/spool/shelf.ts';
import type { UploadShelf } from '#diagnostics/upload/queue.ts';
import type { Log } from '#domain/log.ts';
import type { AccessList } from './access-list.ts';
import type { SegmentStore } from './segment-listener.ts';
import { type Answer, folderOf, type ReceivedSegment, type SegmentTarget } from './segment-request.ts';

export interface CollectorOptions {
  readonly directory: string;
  /** Segments of this vehicle may come from any of the children. */
  readonly vehicleId: string;
  /** Who may hand over what. */
  readonly access: AccessList;
  /** Bytes that may wait here, for each child. */
  readonly quotaBytes: number;
  readonly log: Log;
}

/** What waits here for its upload. */
export interface CollectedCounts {
  readonly segments: number;
  readonly bytes: number;
}

interface ChildShelf extends UploadShelf {
  /** The ECU that wrote them. */
  readonly owner: string;
}

/** Files that may wait here, for each child: many small ones are a burden too. */
const maxSegments = 8192;
/** What is not critical may take this part of a child's room. */
const ordinaryPart = 0.75;
/** A child that has to wait keeps its segments, and asks again after so many seconds. */
const retryAfter = { 'retry-after': '60' };

/**
 * Takes sealed segments from children, to be uploaded as they are. Nothing is given up to make room: a child whose room is
 * taken up has to wait, and keeps what it has. So no child can cost another one, or this ECU, anything.
 */
export class Collector implements SegmentStore, AsyncDisposable {
  readonly #options: CollectorOptions;
  readonly #shelves = new Map<string, ChildShelf>();
  readonly #listeners = new Set<() => void>();
  /** One request after the other for each vehicle, so that an id is stored once. */
  readonly #busy = new Map<string, Promise<unknown>>();

  private constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Finds what the last life left; what cannot be opened is told. */
  static async open(options: CollectorOptions): Promise<Collector> {
    const collector = new Collector(options);
    const { directory, log } = options;
    for (const vehicle of await namesIn(directory)) {
      for (const owner of await namesIn(join(directory, vehicle))) {
        await collector
          .#shelf(decodeURIComponent(vehicle), decodeURIComponent(owner))
          .catch((error: unknown) => {
            log.error({ err: error, vehicle, owner }, 'collected diagnostics cannot be read');
          });
      }
    }
    return collector;
  }

  shelves(): readonly UploadShelf[] {
    return [...this.#shelves.values()];
  }

  get counts(): CollectedCounts {
    let [segments, bytes] = [0, 0];
    for (const { shelf } of this.#shelves.values()) {
      for (const priority of priorities) segments += shelf.countOf(priority);
      bytes += shelf.bytesOf();
    }
    return { segments, bytes };
  }

  /** Calls `listener` whenever a segment has come; returns how to stop that. */
  onCollected(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async refuse({ vehicleId }: SegmentTarget, request: IncomingMessage): Promise<Answer | undefined> {
    const { access, vehicleId: own } = this.#options;
    const allowed = await access.allowed(request.headers.authorization);
    if (allowed === undefined)
      return { status: 401, text: 'not authorised', headers: { 'www-authenticate': 'Bearer' } };
    if (vehicleId === own || allowed(vehicleId)) return undefined;
    return { status: 403, text: `nothing is taken for vehicle ${vehicleId} from here` };
  }

  async store(segment: ReceivedSegment, request: IncomingMessage) {
    const { access } = this.#options;
    const { vehicleId, id, body, sha256 } = segment;
    let metadata: Readonly<Record<string, string>>;
    try {
      ({ metadata } = readContainerHeader(body));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      return { status: 422, text: `not a segment: ${error.message}` };
    }
    const owner = metadata['ecu.id'] ?? vehicleId;
    const allowed = await access.allowed(request.headers.authorization);
    if (allowed?.(owner) !== true) return { status: 403, text: `nothing is taken of ECU ${owner} from here` };
    if (metadata['vehicle.id'] !== undefined && metadata['vehicle.id'] !== vehicleId) {
      return { status: 422, text: `the segment says that it is of vehicle ${metadata['vehicle.id']}` };
    }
    return this.#serially(vehicleId, async () => {
      const known = await this.digestOf(segment);
      if (known !== undefined) return { sha256: known, isNew: false };
      const priority = priorities.find((one) => one === metadata['segment.priority']) ?? 'normal';
      if (!this.#hasRoom(owner, priority, body.length)) {
        return { status: 503, text: `the room for ECU ${owner} is taken up`, headers: retryAfter };
      }
      const shelf = await this.#shelf(vehicleId, owner);
      await shelf.take(
        { id, sequence: sequenceIn(metadata), priority, origin: originOf(metadata) },
        body,
        sha256,
      );
      return { sha256, isNew: true };
    });
  }

  async digestOf({ vehicleId, id }: SegmentTarget): Promise<string | undefined> {
    for (const child of this.#shelves.values()) {
      if (child.vehicleId !== vehicleId) continue;
      const digest = await child.shelf.digestOf(id);
      if (digest !== undefined) return digest;
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#busy.values());
    for (const { shelf } of this.#shelves.values()) await shelf[Symbol.asyncDispose]();
  }

  #hasRoom(owner: string, priority: Priority, bytes: number): boolean {
    const { quotaBytes } = this.#options;
    const part = priority === 'critical' ? 1 : ordinaryPart;
    let [usedBytes, used] = [0, 0];
    for (const child of this.#shelves.values()) {
      if (child.owner !== owner) continue;
      usedBytes += child.shelf.bytesOf();
      for (const one of priorities) used += child.shelf.countOf(one);
    }
    return usedBytes + bytes <= quotaBytes * part && used + 1 <= maxSegments * part;
  }

  async #shelf(vehicleId: string, owner: string): Promise<Shelf> {
    const directory = join(this.#options.directory, folderOf(vehicleId), folderOf(owner));
    const known = this.#shelves.get(directory);
    if (known !== undefined) return known.shelf;
    const shelf = await Shelf.open(directory, this.#options.log);
    shelf.onKept(() => {
      for (const listener of this.#listeners) listener();
    });
    this.#shelves.set(directory, { vehicleId, owner, shelf });
    return shelf;
  }

  async #serially<T>(vehicleId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(vehicleId) ?? Promise.resolve();
    const done = before.then(work, work);
    this.#busy.set(vehicleId, done);
    try {
      return await done;
    } finally {
      if (this.#busy.get(vehicleId) === done) this.#busy.delete(vehicleId);
    }
  }
}

/** The child's own, so that what it wrote first is sent first. */
function sequenceIn(metadata: Readonly<Record<string, string>>): number {
  const text = metadata['segment.sequence'] ?? '';
  return /^\d{1,10}$/.test(text) ? Number(text) : 0;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? entry.name : []));
}
