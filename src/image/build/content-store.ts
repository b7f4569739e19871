import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompress } from 'node:zlib';
import type { Sha256 } from '#domain/digest.ts';

/** When and how file contents are compressed. */
export interface CompressionOptions {
  readonly enabled: boolean;
  /** zstd level, 1 to 22. */
  readonly level: number;
  /** Files smaller than this many bytes stay plain. */
  readonly minSize: number;
  /** Original size by compressed size; what compresses less stays plain. */
  readonly minRatio: number;
}

/** One content of the image, however many files have it. */
export interface StoredContent {
  readonly sha256: Sha256;
  /** Uncompressed bytes. */
  readonly size: number;
  /** Final once the store is settled. */
  readonly compressed: boolean;
  /** Bytes in the image. Final once the store is settled. */
  readonly storedSize: number;
}

type Settling = { -readonly [Key in keyof StoredContent]: StoredContent[Key] };

/** Contents up to this many bytes go through memory; larger ones through a file. */
const inMemoryBytes = 4 * 1024 * 1024;

const compressBytes = promisify(zstdCompress);

/**
 * Puts contents into the image: hashed while they are read, each content once, compressed beside the reading of the
 * next ones on libuv's threads. Memory is bounded by the number of compressions under way.
 */
export class ContentStore implements AsyncDisposable {
  readonly #plain: string;
  readonly #compressed: string;
  readonly #options: CompressionOptions;
  readonly #signal: AbortSignal;
  readonly #failure = new AbortController();
  readonly #contents = new Map<Sha256, Settling>();
  readonly #running = new Set<Promise<void>>();
  readonly #maxRunning = Math.max(2, availableParallelism());
  #temporary = 0;

  /** `plain` and `compressed` are existing directories; a content becomes `plain/<sha256>` or `compressed/<sha256>.zst`. */
  constructor(plain: string, compressed: string, options: CompressionOptions, signal: AbortSignal) {
    this.#plain = plain;
    this.#compressed = compressed;
    this.#options = options;
    this.#signal = AbortSignal.any([signal, this.#failure.signal]);
  }

  /** Reads a content to its end. Its compression may still be under way afterwards; see `settle`. */
  async add(source: AsyncIterable<Uint8Array>): Promise<StoredContent> {
    const hash = createHash('sha256');
    const chunks: Uint8Array[] = [];
    const temporary = join(this.#plain, `part-${this.#temporary++}`);
    let file: FileHandle | undefined;
    let size = 0;
    try {
      for await (const chunk of source) {
        this.#signal.throwIfAborted();
        hash.update(chunk);
        chunks.push(chunk);
        size += chunk.length;
        if (size <= inMemoryBytes) continue;
        file ??= await open(temporary, 'wx', 0o644);
        await file.writev(chunks.splice(0));
      }
    } finally {
      await file?.close();
    }
    const sha256 = hash.digest('hex') as Sha256;
    const known = this.#contents.get(sha256);
    if (known !== undefined) {
      if (file !== undefined) rmSync(temporary);
      return known;
    }
    const content = { sha256, size, compressed: false, storedSize: size };
    this.#contents.set(sha256, content);
    if (file === undefined) await this.#addSmall(content, Buffer.concat(chunks, size));
    else await this.#addLarge(content, temporary);
    return content;
  }

  /** Waits until every content lies in the image. Fails with the first failure of a compression. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.#signal.throwIfAborted();
  }

  /** Stops what is under way and waits until it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure.abort(new Error('image is not being built any more'));
    await Promise.allSettled(this.#running);
  }

  /** Removes contents that no file of the image has. */
  prune(used: ReadonlySet<StoredContent>): void {
    for (const content of this.#contents.values()) if (!used.has(content)) rmSync(this.locate(content));
  }

  /** Where a settled content lies. */
  locate(content: StoredContent): string {
    return content.compressed ? this.#compressedPath(content) : this.#plainPath(content);
  }

  async #addSmall(content: Settling, bytes: Buffer): Promise<void> {
    if (!this.#worthTrying(content)) {
      writeFileSync(this.#plainPath(content), bytes);
      return;
    }
    await this.#start(async () => {
      const packed = await compressBytes(bytes, this.#parameters(content.size));
      if (this.#keep(content, packed.length)) writeFileSync(this.#compressedPath(content), packed);
      else writeFileSync(this.#plainPath(content), bytes);
    });
  }

  async #addLarge(content: Settling, temporary: string): Promise<void> {
    renameSync(temporary, this.#plainPath(content));
    if (this.#worthTrying(content)) await this.#start(() => this.#compressLarge(content));
  }

  async #compressLarge(content: Settling): Promise<void> {
    const plain = this.#plainPath(content);
    const temporary = `${this.#compressedPath(content)}.part`;
    const signal = this.#signal;
    await pipeline(
      createReadStream(plain, { highWaterMark: 1024 * 1024 }),
      createZstdCompress(this.#parameters(content.size)),
      createWriteStream(temporary),
      { signal },
    );
    if (this.#keep(content, (await stat(temporary)).size)) {
      await rename(temporary, this.#compressedPath(content));
      await rm(plain);
    } else {
      await rm(temporary);
    }
  }

  /** Starts work beside the reading, once there is room for it. */
  async #start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#maxRunning) await Promise.race(this.#running);
    this.#signal.throwIfAborted();
    const task = work()
      .catch((error: unknown) => this.#failure.abort(error))
      .finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  #worthTrying(content: StoredContent): boolean {
    return this.#options.enabled && content.size >= Math.max(1, this.#options.minSize);
  }

  /** Decides, when both sizes are known, and notes the decision. */
  #keep(content: Settling, packedSize: number): boolean {
    if (content.size / packedSize < this.#options.minRatio) return false;
    content.compressed = true;
    content.storedSize = packedSize;
    return true;
  }

  /** The frame tells the content's size, as the frames of existing images do, and carries a checksum. */
  #parameters(size: number): object {
    return {
      params: {
        [constants.ZSTD_c_compressionLevel]: this.#options.level,
        [constants.ZSTD_c_contentSizeFlag]: 1,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
      pledgedSrcSize: size,
    };
  }

  #plainPath(content: StoredContent): string {
    return join(this.#plain, content.sha256);
  }

  #compressedPath(content: StoredContent): string {
    return join(this.#compressed, `${content.sha256}.zst`);
  }
}
