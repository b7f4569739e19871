import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { OtaFailure } from '#domain/failure.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { HttpSource } from '#net/http-source.ts';
import { InflightBudget } from '#net/inflight-budget.ts';
import { NetError } from '#net/net-error.ts';
import type { WireRequest } from '#net/wire-request.ts';
import { type Arrival, ArrivalLog } from './arrival-log.ts';
import { partsOf } from './prepare-tree.ts';
import type { PreparedTree } from './prepared-tree.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { resourceStates } from './shared-state.ts';
import type { StoreFileJob, StoreJob, StoreResult } from './worker/store.ts';

/** Larger files are streamed to the standby file system, smaller ones go through memory. */
const streamedBytes = 1024 * 1024;
/** The most that small downloads keep on disk until they are placed. */
const logBytes = 64 * 1024 * 1024;
/** How often content that does not match its digest is asked for again. */
const digestAttempts = 3;
/** The most that is accepted of a file whose size the image does not tell. */
const unknownSizeCap = 16 * 1024 * 1024 * 1024;

/** Fetches resources of an image and has them placed. One per update. */
export class Downloads implements AsyncDisposable {
  readonly #image: VerifiedImage;
  readonly #prepared: PreparedTree;
  readonly #source: HttpSource;
  readonly #budget: InflightBudget;
  readonly #meter: ProgressMeter;
  readonly #connections: number;
  readonly #log: ArrivalLog;
  /** Whether the slot has room for what only serves to resume. */
  readonly #roomy: boolean;

  private constructor(
    prepared: PreparedTree,
    source: HttpSource,
    connections: number,
    meter: ProgressMeter,
    log: ArrivalLog,
  ) {
    this.#image = prepared.image;
    this.#prepared = prepared;
    this.#source = source;
    this.#budget = new InflightBudget(() => source.bandwidthDelayBytes);
    this.#connections = connections;
    this.#meter = meter;
    this.#log = log;
    this.#roomy = prepared.spareBytes >= this.#wishedBytes();
  }

  static async open(
    prepared: PreparedTree,
    source: HttpSource,
    connections: number,
    meter: ProgressMeter,
  ): Promise<Downloads> {
    const log = await ArrivalLog.open(`${prepared.tree.work}/arrived`);
    return new Downloads(prepared, source, connections, meter, log);
  }

  /** Places what had arrived, but was not placed yet, when an earlier run was cut short. */
  async placeLeftovers(): Promise<void> {
    for await (const { arrival, ticket } of this.#log.leftovers()) {
      const resource = this.#image.table.findDigest(Buffer.from(arrival.sha256, 'hex'));
      if (resource < 0) await this.#log.placed(ticket);
      else await this.#store(resource, arrival, ticket, 'copy');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }

  /** Fetches these resources, several at a time; those that were found locally in the meantime are passed over. */
  async fetch(resources: readonly number[], signal: AbortSignal): Promise<void> {
    // Spoken for at once: what is fetched later must not count them again.
    const asked = resources.filter((resource) => this.#prepared.state.request(resource));
    for (const resource of asked) {
      this.#meter.filesToDownload++;
      this.#meter.bytesToDownload += Math.max(0, this.#sizeOf(resource));
    }
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const lane = async (queue: number[]): Promise<void> => {
      for (let resource = queue.pop(); resource !== undefined; resource = queue.pop()) {
        either.throwIfAborted();
        const isNeeded = this.#prepared.state.resourceState(resource) === resourceStates.requested;
        if (isNeeded && (await this.#fetchOne(resource, either))) continue;
        this.#meter.filesToDownload--;
        this.#meter.bytesToDownload -= Math.max(0, this.#sizeOf(resource));
      }
    };
    // In the image's order, as the last is taken first.
    const queue = asked.toReversed();
    const large = queue.filter((resource) => this.#isLarge(resource));
    const small = queue.filter((resource) => !this.#isLarge(resource));
    const wide = this.#wide(large.length);
    const narrow = Math.min(small.length, Math.max(1, this.#connections - wide));
    const clock = this.#meter.stopwatch('download');
    if (asked.length > 0) clock.enter();
    try {
      const lanes = [
        ...Array.from({ length: wide }, () => lane(large)),
        ...Array.from({ length: narrow }, () => lane(small)),
      ];
      await Promise.all(
        lanes.map((running) =>
          running.catch((error: unknown) => {
            failed.abort(error);
            throw error;
          }),
        ),
      );
    } finally {
      if (asked.length > 0) clock.leave();
    }
  }

  /** False when the content was found locally before it had arrived. */
  async #fetchOne(resource: number, signal: AbortSignal): Promise<boolean> {
    const large = this.#isLarge(resource);
    for (let attempt = 1; ; attempt++) {
      const retryCaching = attempt > 1;
      const result = await this.#attempt(resource, retryCaching, large, signal);
      if (result !== 'bad') return result === 'placed';
      this.#meter.downloadErrors++;
      if (attempt === digestAttempts) {
        const { table } = this.#image;
        throw new OtaFailure(
          'image_invalid',
          `${table.path(table.resourceEntry(resource))} does not have the content that the image promises, asked ${attempt} times`,
        );
      }
    }
  }

  async #attempt(
    resource: number,
    retryCaching: boolean,
    large: boolean,
    signal: AbortSignal,
  ): Promise<StoreResult> {
    try {
      return large
        ? await this.#stream(resource, retryCaching, signal)
        : await this.#small(resource, retryCaching, signal);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // The server replaced the file while it was read: what came is of no use, the next try may be whole.
      if (error.code === 'entity_changed') return 'bad';
      // Room for the file itself, but not for what keeps it resumable as well.
      if (error.code === 'no_space' && large) return this.#stream(resource, retryCaching, signal, false);
      throw error;
    }
  }

  async #small(resource: number, retryCaching: boolean, signal: AbortSignal): Promise<StoreResult> {
    const { encoding } = this.#image.locate(resource);
    // What is asked for and has not arrived is lost when the daemon is killed: that is what the budget bounds.
    const share = Math.max(1, this.#sizeOf(resource));
    await this.#budget.acquire(share, signal);
    let arrival: Arrival;
    let ticket: number | undefined;
    try {
      const bytes = await this.#source.readAll(this.#request(resource, retryCaching), this.#wire(), signal);
      arrival = { sha256: this.#image.table.resourceHex(resource), encoding, bytes };
      ticket = this.#roomy ? await this.#log.keep(arrival) : undefined;
    } finally {
      this.#budget.release(share);
    }
    return this.#store(resource, arrival, ticket, 'download');
  }

  async #store(
    resource: number,
    { bytes, encoding }: Arrival,
    ticket: number | undefined,
    countAs: StoreJob['countAs'],
  ): Promise<StoreResult> {
    const job = { kind: 'store', resource, bytes, encoding, countAs } satisfies StoreJob;
    const result = await this.#prepared.crew.one<StoreResult>(job, transferable(bytes));
    if (ticket !== undefined) await this.#log.placed(ticket);
    return result;
  }

  /** Decoded and hashed while it streams; what has arrived survives an interruption in the part file. */
  async #stream(
    resource: number,
    retryCaching: boolean,
    signal: AbortSignal,
    // Plain content is its own part file and takes no more room.
    resumable = this.#roomy || this.#image.locate(resource).encoding === 'identity',
  ): Promise<StoreResult> {
    const { encoding } = this.#image.locate(resource);
    const part = `${partsOf(this.#prepared.tree)}/${this.#image.table.resourceHex(resource)}`;
    const isPart = encoding === 'identity' && resumable;
    const output = isPart ? part : `${part}.out`;
    if (!resumable) await rm(part, { force: true });
    const request = { ...this.#request(resource, retryCaching), part: resumable ? part : undefined };
    const wire = this.#source.read(request, this.#wire(), signal);
    const content = encoding === 'identity' ? wire : decoded(wire);
    const good = await this.#verify(resource, content, isPart ? undefined : output);
    if (!good) {
      await rm(part, { force: true });
      await rm(output, { force: true });
      return 'bad';
    }
    const job = { kind: 'store-file', resource, path: output } satisfies StoreFileJob;
    const result = await this.#prepared.crew.one<StoreResult>(job);
    await rm(part, { force: true });
    return result;
  }

  /** Hashes a stream, writing it to `output` when given. Whether it is what the image promises. */
  async #verify(
    resource: number,
    content: AsyncIterable<Uint8Array>,
    output: string | undefined,
  ): Promise<boolean> {
    const size = this.#sizeOf(resource);
    const sha256 = createHash('sha256');
    const file = output === undefined ? undefined : await open(output, 'w', 0o600);
    let written = 0;
    try {
      for await (const chunk of content) {
        written += chunk.length;
        if (size >= 0 && written > size) return false;
        sha256.update(chunk);
        if (file !== undefined) await file.writeFile(chunk);
      }
    } catch (error) {
      if (isDecodeError(error)) return false;
      throw error;
    } finally {
      await file?.close();
    }
    return sha256.digest('hex') === this.#image.table.resourceHex(resource);
  }

  #request(resource: number, retryCaching: boolean): WireRequest {
    const { url, encoding } = this.#image.locate(resource);
    const size = this.#sizeOf(resource);
    const known = size < 0 ? unknownSizeCap : size;
    return {
      url,
      // Incompressible content grows a little when it is compressed all the same (zstd's bound).
      maxBytes: encoding === 'zstd' ? known + Math.ceil(known / 128) + 1024 : known,
      expectedBytes: encoding === 'identity' && size >= 0 ? size : undefined,
      sha256: this.#image.table.resourceHex(resource),
      compressed: encoding === 'zstd',
      retryCaching,
    };
  }

  #wire(): { bytes(count: number): void; failedAttempt(): void } {
    const meter = this.#meter;
    return {
      bytes(count) {
        meter.wireBytes += count;
      },
      failedAttempt() {
        meter.downloadErrors++;
      },
    };
  }

  /** What logs and parts take up besides the files that they become. */
  #wishedBytes(): number {
    const { table } = this.#image;
    const large: number[] = [];
    for (let resource = 0; resource < table.resourceCount; resource++) {
      if (this.#isLarge(resource)) large.push(Math.max(0, table.resourceSize(resource)));
    }
    const largest = large.sort((a, b) => b - a).slice(0, this.#wide(large.length));
    return logBytes + largest.reduce((sum, size) => sum + size, 0);
  }

  /** Two large files use the whole link; more of them at a time would only lose more when the daemon is killed. */
  #wide(large: number): number {
    return Math.min(large, Math.max(1, Math.floor(this.#connections / 8)));
  }

  #isLarge(resource: number): boolean {
    const size = this.#sizeOf(resource);
    return size < 0 || size > streamedBytes;
  }

  #sizeOf(resource: number): number {
    return this.#image.table.resourceSize(resource);
  }
}

/** The content of a zstd stream; an error of the source comes out at the end of it. */
function decoded(wire: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const decoder = createZstdDecompress();
  pipeline(Readable.from(wire), decoder).catch(() => {
    // pipeline has destroyed the decoder with this error: whoever reads it gets it.
  });
  return decoder as AsyncIterable<Uint8Array>;
}

/** The buffer to move to a worker; one that is shared with other data is copied instead. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength ? [buffer] : [];
}

/** Content that is no zstd frame, or a damaged one. */
function isDecodeError(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === 'string' && code.startsWith('ZSTD_');
}
