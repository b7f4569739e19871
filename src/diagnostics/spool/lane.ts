import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ContainerHeader,
  writeContainerBlock,
  writeContainerHeader,
} from '#diagnostics/messages/container.ts';
import { AppendFile } from '#host/append-file.ts';
import { renameDurably, syncDirectory } from '#host/durable-file.ts';
import { newSegmentName } from './segment-name.ts';

/** Where a lane gets what only the spool knows. */
export interface LaneSource {
  readonly directory: string;
  /** A sequence number that was never given out before, durably so. */
  readonly nextSequence: () => Promise<number>;
  /** Metadata of a segment that begins now. */
  readonly metadata: (segment: { readonly id: string; readonly sequence: number }) => Record<string, string>;
  /** Monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** A segment that has its final name and never changes again. */
export interface SealedSegment {
  readonly id: string;
  readonly sequence: number;
  readonly path: string;
  readonly bytes: number;
}

interface OpenSegment {
  readonly id: string;
  readonly sequence: number;
  readonly file: AppendFile;
  readonly header: ContainerHeader;
  readonly startedAt: number;
}

/** The segments of one priority: at most one of them is open. Calls must not overlap. */
export class Lane {
  readonly #source: LaneSource;
  #open: OpenSegment | undefined;

  constructor(source: LaneSource) {
    this.#source = source;
  }

  /** Bytes in the open segment. */
  get openBytes(): number {
    return this.#open?.file.bytes ?? 0;
  }

  /** Milliseconds since the open segment was begun; 0 when none is open. */
  get openAgeMs(): number {
    return this.#open === undefined ? 0 : this.#source.now() - this.#open.startedAt;
  }

  /** Appends one block of encoded messages; durable when it resolves. Errors: those of the file system. */
  async append(messages: readonly Buffer[]): Promise<void> {
    const segment = (this.#open ??= await this.#begin());
    await segment.file.append(writeContainerBlock(messages, segment.header));
  }

  /** Gives the open segment its final name, durably. Undefined when none is open. */
  async seal(): Promise<SealedSegment | undefined> {
    const segment = this.#open;
    if (segment === undefined) return undefined;
    const { id, sequence, file } = segment;
    const path = file.path.slice(0, -'.open'.length);
    await renameDurably(file.path, path);
    this.#open = undefined;
    await file[Symbol.asyncDispose]();
    return { id, sequence, path, bytes: file.bytes };
  }

  /**
   * Lets go of the open segment as it is, after an error that leaves unknown what the disk holds; its path, for
   * `recoverSegment`. Undefined when none is open.
   */
  async abandon(): Promise<string | undefined> {
    const segment = this.#open;
    this.#open = undefined;
    await segment?.file[Symbol.asyncDispose]().catch(() => {});
    return segment?.file.path;
  }

  async #begin(): Promise<OpenSegment> {
    const { directory, nextSequence, metadata, now } = this.#source;
    const sequence = await nextSequence();
    const { id, name } = newSegmentName(sequence);
    const header: ContainerHeader = {
      name: 'MessageSequence',
      codec: 'deflate',
      metadata: metadata({ id, sequence }),
      sync: randomBytes(16),
    };
    const path = join(directory, `${name}.open`);
    const file = await AppendFile.create(path);
    try {
      await file.append(writeContainerHeader(header));
      await syncDirectory(directory);
    } catch (error) {
      await file[Symbol.asyncDispose]().catch(() => {});
      await unlink(path).catch(() => {});
      throw error;
    }
    return { id, sequence, file, header, startedAt: now() };
  }
}
