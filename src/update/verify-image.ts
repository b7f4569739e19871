import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { DescriptionFile, FetchDescription, VerifiedImage } from '#image/image.ts';
import { ImageError } from '#image/image-error.ts';
import { readLegacyImage } from '#image/legacy/read-image.ts';
import type { TrustStore } from '#image/trust/trust-store.ts';
import type { HttpSource } from '#net/http-source.ts';
import type { StepContext } from './steps.ts';

export interface VerifyOptions {
  readonly source: HttpSource;
  readonly trust: TrustStore;
  /** Keeps metadata files by digest, so that an interrupted update does not ask for them again. */
  readonly cacheDirectory: string;
}

/**
 * Fetches an image's description and verifies it. Writes nothing to a slot.
 * Errors: ImageError, NetError; see failure-of.ts for what becomes of them.
 */
export async function verifyImage(
  request: ReleaseRequest,
  { source, trust, cacheDirectory }: VerifyOptions,
  { meter, signal }: StepContext,
): Promise<VerifiedImage> {
  meter.enter('PROCESSING_METADATA', 'METADATA');
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  const used = new Set<string>();
  const wire = {
    bytes(count: number) {
      meter.wireBytes += count;
    },
    failedAttempt() {
      meter.downloadErrors++;
    },
  };
  async function* fetchFile(file: DescriptionFile, stop: AbortSignal): AsyncIterable<Uint8Array> {
    const { url, sha256, maxBytes } = file;
    if (sha256 === undefined) {
      yield* source.read({ url, maxBytes, noCache: true }, wire, stop);
      return;
    }
    const kept = `${cacheDirectory}/${sha256}`;
    const part = `${kept}.part`;
    used.add(sha256).add(`${sha256}.part`);
    if (!(await hasDigest(kept, sha256))) {
      await rm(kept, { force: true });
      // Read to its end first: the reader may stop early, and half a file is of no use to it.
      for await (const chunk of source.read({ url, maxBytes, sha256, part }, wire, stop)) void chunk;
      if (!(await hasDigest(part, sha256))) {
        await rm(part, { force: true });
        throw new ImageError(
          'metadata_digest_mismatch',
          `${url.pathname} does not have the digest ${sha256}`,
        );
      }
      await rename(part, kept);
    }
    yield* createReadStream(kept, { highWaterMark: 64 * 1024 });
  }
  const fetch: FetchDescription = (file, stop) => fetchFile(file, stop);
  const image = await readLegacyImage({ baseUrl: request.url, trust, fetch, now: new Date(), signal });
  for (const name of await readdir(cacheDirectory)) {
    if (!used.has(name)) await rm(`${cacheDirectory}/${name}`, { recursive: true, force: true });
  }
  if (image.table.entryCount === 0) {
    throw new OtaFailure('image_refused', 'the image is empty');
  }
  return image;
}

async function hasDigest(path: string, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch {
    return false;
  }
  return hash.digest('hex') === sha256;
}
