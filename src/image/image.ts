import type { Sha256 } from '#domain/digest.ts';
import type { FileTable } from './file-table.ts';

declare const verifiedImage: unique symbol;

/** Where the content of a resource can be fetched, and how it is encoded there. */
export interface ResourceLocation {
  readonly url: URL;
  readonly encoding: 'identity' | 'zstd';
}

/** What every image format's reader yields once signature and digests hold. */
export interface ImageContents {
  readonly format: 'legacy';
  /** Identifies the image: the digest of its signed description. */
  readonly digest: Sha256;
  readonly table: FileTable;
  /** Absolute paths that are carried over from the active slot. */
  readonly persistents: readonly string[];
  /** Where to fetch resource number `resource` of the table. */
  locate(resource: number): ResourceLocation;
}

/**
 * An image whose trust chain, signature and metadata digests were verified. Only `image/trust` makes one, so that code
 * which skips verification does not compile.
 */
export type VerifiedImage = ImageContents & { readonly [verifiedImage]: true };

/** What a reader asks of the network: one file of the image's description. */
export interface DescriptionFile {
  readonly url: URL;
  /** Expected digest; undefined for the signed description itself. Lets the fetcher keep the file over restarts. */
  readonly sha256: Sha256 | undefined;
  /** The fetcher fails with `metadata_too_large` beyond this. */
  readonly maxBytes: number;
}

/**
 * Given to readers, which have no network of their own. Yields the file's bytes; the reader verifies the digest over
 * exactly the bytes that it used, whatever the fetcher did.
 */
export type FetchDescription = (file: DescriptionFile, signal: AbortSignal) => AsyncIterable<Uint8Array>;
