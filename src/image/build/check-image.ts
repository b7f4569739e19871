import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import type { Sha256 } from '#domain/digest.ts';
import { entryKinds } from '#image/file-table.ts';
import type { ResourceLocation, VerifiedImage } from '#image/image.ts';
import { quotePath, readLegacyImage } from '#image/legacy/read-image.ts';
import type { TrustStore } from '#image/trust/trust-store.ts';
import type { ImageAccess } from './image-access.ts';

export interface CheckOptions {
  readonly access: ImageAccess;
  readonly trust: TrustStore;
  /** Whether to read every file of the image too, not only its description. */
  readonly deep: boolean;
  readonly onProgress?: (files: number, bytes: number) => void;
  /** @default now */
  readonly now?: Date;
  readonly signal: AbortSignal;
}

/** A file of the image that does not hold what its description says. */
export interface DamagedFile {
  readonly url: string;
  readonly reason: string;
}

export interface CheckReport {
  readonly image: VerifiedImage;
  /** Files that were read, and their uncompressed bytes; 0 unless deep. */
  readonly filesRead: number;
  readonly bytesRead: number;
  readonly damaged: readonly DamagedFile[];
}

/** Files read at a time: enough to keep a disk or a connection busy. */
const readers = 4;

/**
 * Verifies an image as a vehicle would: trust chain, signature, digests of the description; and, when asked, every
 * file that a client may fetch.
 *
 * Errors: ImageError when the description is refused. Damaged files are in the report.
 */
export async function checkImage(options: CheckOptions): Promise<CheckReport> {
  const { access, trust, now = new Date(), signal } = options;
  const image = await readLegacyImage({
    baseUrl: access.baseUrl,
    trust,
    fetch: (file) => access.read(file.url, signal),
    now,
    signal,
  });
  const contents = new ContentCheck(image, options);
  if (options.deep) await contents.run();
  return { image, filesRead: contents.files, bytesRead: contents.bytes, damaged: contents.damaged };
}

/** One file to read, and the resource that it must hold. */
interface ExpectedFile extends ResourceLocation {
  readonly resource: number;
}

/** Every file once: compressed contents, and plain files at each path, because clients fetch by any of them. */
function* expectedFiles(image: VerifiedImage): Generator<ExpectedFile> {
  const { table } = image;
  for (let resource = 0; resource < table.resourceCount; resource++) {
    const location = image.locate(resource);
    if (location.encoding === 'zstd') yield { ...location, resource };
  }
  for (let entry = 0; entry < table.entryCount; entry++) {
    if (table.kind(entry) !== entryKinds.regular) continue;
    const resource = table.resource(entry);
    const location = image.locate(resource);
    if (location.encoding === 'zstd') continue;
    const quoted = (of: number): string => quotePath(table.path(of).slice(1));
    const folder = location.url.href.slice(0, -quoted(table.resourceEntry(resource)).length);
    yield { url: new URL(folder + quoted(entry)), encoding: 'identity', resource };
  }
}

class ContentCheck {
  readonly #image: VerifiedImage;
  readonly #options: CheckOptions;
  /** What bytes that were hashed already turned out to be. */
  readonly #known = new Map<string, string>();
  readonly damaged: DamagedFile[] = [];
  files = 0;
  bytes = 0;

  constructor(image: VerifiedImage, options: CheckOptions) {
    this.#image = image;
    this.#options = options;
  }

  async run(): Promise<void> {
    const waiting = expectedFiles(this.#image);
    const work = async (): Promise<void> => {
      for (const file of waiting) {
        const reason = await this.#check(file);
        if (reason !== undefined) this.damaged.push({ url: file.url.href, reason });
        this.files += 1;
        this.#options.onProgress?.(this.files, this.bytes);
      }
    };
    await Promise.all(Array.from({ length: readers }, work));
    this.damaged.sort((a, b) => (a.url < b.url ? -1 : 1));
  }

  /** What is wrong with a file; undefined when it is right. */
  async #check(file: ExpectedFile): Promise<string | undefined> {
    const expected = this.#image.table.resourceHex(file.resource);
    const { access, signal } = this.#options;
    try {
      const key = (await access.identify(file.url))?.key;
      const known = key === undefined ? undefined : this.#known.get(key);
      const found = known ?? (await this.#hash(file));
      if (key !== undefined) this.#known.set(key, found);
      return found === expected ? undefined : `holds ${found} instead of ${expected}`;
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #hash(file: ExpectedFile): Promise<Sha256> {
    const { access, signal } = this.#options;
    const expectedBytes = this.#image.table.resourceSize(file.resource);
    const hash = createHash('sha256');
    let bytes = 0;
    const take = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.length;
        this.bytes += chunk.length;
        // A few bytes can unpack to a great many.
        if (expectedBytes >= 0 && bytes > expectedBytes)
          throw new Error(`holds more than ${expectedBytes} bytes`);
      }
    };
    const source = Readable.from(access.read(file.url, signal), { objectMode: false });
    if (file.encoding === 'zstd') await pipeline(source, createZstdDecompress(), take, { signal });
    else await pipeline(source, take, { signal });
    return hash.digest('hex') as Sha256;
  }
}
