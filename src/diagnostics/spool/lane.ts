import { createHash, type Hash, randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ContainerHeader,
  writeContainerBlock,
  writeContainerHeader,
} from '#diagnostics/messages/container.ts';
import { AppendFile } from '#host/append-file.ts';
import { renameDurably, syncDirectory } from '#host/durable-file.ts';
import { newSegmentName, sealedPath, sumsPath } from './segment-name.ts';
import { pieceLine, sealLine } from './sums.ts';

/** A segment that is about to begin. */
export interface NewSegment {
  readonly id: string;
  readonly sequence: number;
}

/** Where a lane gets what only the spool knows. */
export interface LaneSource {
  readonly directory: string;
  /** A sequence number that was never given out before, durably so. */
  readonly nextSequence: () => Promise<number>;
  /** Metadata of a segment that begins now. */
  readonly metadata: (segment: NewSegment) => Record<string, string>;
  /** Monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** A segment that has its final name and never changes again. */
interface SealedLane {
  readonly id: string;
  readonly sequence: number;
  readonly path: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
}

interface OpenSegment {
  readonly id: string;
  readonly sequence: number;
  readonly file: AppendFile;
  readonly header: ContainerHeader;
  readonly startedAt: number;
  readonly digest: Hash;
  /** Lines for the file of check sums; they become durable with the seal. */
  sums: AppendFile | undefined;
}

/** The segments of one campaign and priority: at most one of them is open. Calls must not overlap. */
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

  /** Milliseconds since the open segment was begun; undefined when none is open. */
  get openAgeMs(): number | undefined {
    return this.#open === undefined ? undefined : this.#source.now() - this.#open.startedAt;
  }

  /** Appends one block of encoded messages; durable when it resolves. Errors: those of the file system. */
  async append(messages: readonly Buffer[]): Promise<void> {
    const segment = (this.#open ??= await this.#begin());
    const block = writeContainerBlock(messages, segment.header);
    await segment.file.append(block);
    segment.digest.update(block);
    await addLine(segment, pieceLine(segment.file.bytes, block), { sync: false });
  }

  /** Gives the open segment its final name, durably. Undefined when none is open. */
  async seal(): Promise<SealedLane | undefined> {
    const segment = this.#open;
    if (segment === undefined) return undefined;
    const { id, sequence, file, digest } = segment;
    const path = sealedPath(file.path);
    await addLine(segment, sealLine(digest.copy().digest('hex'), file.bytes), { sync: true });
    await renameDurably(file.path, path);
    this.#open = undefined;
    await close(segment);
    return { id, sequence, path, bytes: file.bytes, metadata: segment.header.metadata };
  }

  /**
   * Lets go of the open segment as it is, after an error that leaves unknown what the disk holds; its path, for
   * `recoverSegment`. Undefined when none is open.
   */
  async abandon(): Promise<string | undefined> {
    const segment = this.#open;
    this.#open = undefined;
    if (segment !== undefined) await close(segment);
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
    const head = writeContainerHeader(header);
    const digest = createHash('sha256').update(head);
    const sums = await AppendFile.create(sumsPath(path)).catch(() => undefined);
    const segment: OpenSegment = { id, sequence, file, header, startedAt: now(), digest, sums };
    try {
      await file.append(head);
      await addLine(segment, pieceLine(head.length, head), { sync: false });
      await syncDirectory(directory);
      return segment;
    } catch (error) {
      await close(segment);
      await unlink(sumsPath(path)).catch(() => {});
      await unlink(path).catch(() => {});
      throw error;
    }
  }
}

/** Without its line a block is judged by its structure alone, which is no reason to fail it; but then none may follow. */
async function addLine(
  segment: OpenSegment,
  line: string,
  options: { readonly sync: boolean },
): Promise<void> {
  try {
    await segment.sums?.append(line, options);
  } catch {
    await segment.sums?.[Symbol.asyncDispose]().catch(() => {});
    segment.sums = undefined;
  }
}

async function close({ file, sums }: OpenSegment): Promise<void> {
  await file[Symbol.asyncDispose]().catch(() => {});
  await sums?.[Symbol.asyncDispose]().catch(() => {});
}
