import { createHash } from 'node:crypto';
import type { FileTable } from '#image/file-table.ts';
import { FileTableBuilder } from '#image/file-table-builder.ts';
import type { DescriptionFile, FetchDescription, ResourceLocation, VerifiedImage } from '#image/image.ts';
import { ImageError } from '#image/image-error.ts';
import { checkPath } from '#image/path-scan.ts';
import type { TrustStore } from '#image/trust/trust-store.ts';
import { type TrustedDescription, trustDescription, verifiedImage } from '#image/trust/verified-image.ts';
import {
  certificateOf,
  claimsOf,
  type LegacyClaims,
  type Metafile,
  maxJwtBytes,
  metadataJwtName,
  parseJwt,
} from './metadata-jwt.ts';
import {
  type Compression,
  parseDirectoryLine,
  parsePersistentLine,
  parseRegularLine,
  parseSymlinkLine,
} from './metafiles.ts';
import { readSignedLines } from './signed-lines.ts';

/** Caps in bytes. Four million entries with paths of ordinary length fit into a gibibyte. */
const maxCertificateBytes = 64 * 1024;
const maxMetafileBytes = 1024 * 1024 * 1024;
const maxPersistentBytes = 16 * 1024 * 1024;
/** Persistents are few: people write them. */
const maxPersistents = 10_000;

export interface ReadImageOptions {
  /** Where the image lies, with or without a slash at its end. A query is dropped, as existing clients do. */
  readonly baseUrl: URL;
  readonly trust: TrustStore;
  readonly fetch: FetchDescription;
  /** The time at which certificates have to be valid. */
  readonly now: Date;
  readonly signal: AbortSignal;
}

/**
 * Reads and verifies the description of a legacy image: certificate and signature first, then every file by its digest.
 *
 * Errors: ImageError; whatever `fetch` throws; the signal's reason.
 */
export async function readLegacyImage(options: ReadImageOptions): Promise<VerifiedImage> {
  const image = new DescriptionReader(options);
  const { description, claims } = await image.readSignedClaims();
  const { table, compression } = await image.readTable(claims);
  const persistents = await image.readPersistents(claims);
  const locate = locator(image.baseUrl, claims, table, compression);
  return verifiedImage(description, { format: 'legacy', table, persistents, locate });
}

class DescriptionReader {
  readonly #options: ReadImageOptions;
  readonly baseUrl: URL;

  constructor(options: ReadImageOptions) {
    this.#options = options;
    this.baseUrl = new URL(options.baseUrl);
    this.baseUrl.pathname = `${this.baseUrl.pathname.replace(/\/+$/, '')}/`;
    this.baseUrl.search = '';
    this.baseUrl.hash = '';
  }

  async readSignedClaims(): Promise<{ description: TrustedDescription; claims: LegacyClaims }> {
    const { trust, now } = this.#options;
    const jwt = parseJwt(await this.#readWhole(metadataJwtName, undefined, maxJwtBytes));
    const { name, sha256 } = certificateOf(jwt);
    const certificate = await this.#readWhole(name, sha256, maxCertificateBytes);
    if (createHash('sha256').update(certificate).digest('hex') !== sha256) {
      throw new ImageError(
        'certificate_digest_mismatch',
        `${name} does not have the digest ${sha256} that ${metadataJwtName} gives`,
      );
    }
    const description = trustDescription({ certificate, ...jwt }, trust, now);
    return { description, claims: claimsOf(jwt) };
  }

  async readTable(claims: LegacyClaims): Promise<{ table: FileTable; compression: CompressionNames }> {
    const builder = new FileTableBuilder();
    const compression = new CompressionNames();
    await this.#readLines(claims.directory, maxMetafileBytes, (line) => {
      const { path, mode, uid, gid } = parseDirectoryLine(line);
      builder.addDirectory(path, mode, uid, gid);
    });
    await this.#readLines(claims.symboliclink, maxMetafileBytes, (line) => {
      const { path, target, uid, gid } = parseSymlinkLine(line);
      builder.addSymlink(path, target, uid, gid);
    });
    await this.#readLines(claims.regular, maxMetafileBytes, (line) => {
      const file = parseRegularLine(line);
      const resource = builder.addRegular(file);
      if (file.compression !== undefined) compression.add(resource, file.compression);
    });
    return { table: builder.finish(), compression };
  }

  /** Each path once, in the image's order. */
  async readPersistents(claims: LegacyClaims): Promise<readonly string[]> {
    const paths = new Set<string>();
    await this.#readLines(claims.persistent, maxPersistentBytes, (line) => {
      // Written by hand at some makers: "/etc/netplan/" means the directory.
      const path = parsePersistentLine(line).replace(/(?<=[^/])\/$/, '');
      checkPath(path);
      paths.add(path);
      if (paths.size > maxPersistents) {
        throw new ImageError('too_many_entries', `more than ${maxPersistents} paths to carry over`);
      }
    });
    return [...paths];
  }

  async #readLines(file: Metafile, maxBytes: number, onLine: (line: string) => void): Promise<void> {
    const { fetch, signal } = this.#options;
    const chunks = fetch(this.#file(file.name, file.sha256, maxBytes), signal);
    await readSignedLines({ ...file, maxBytes, chunks }, onLine, signal);
  }

  async #readWhole(name: string, sha256: Metafile['sha256'] | undefined, maxBytes: number): Promise<Buffer> {
    const { fetch, signal } = this.#options;
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of fetch(this.#file(name, sha256, maxBytes), signal)) {
      signal.throwIfAborted();
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new ImageError('metadata_too_large', `${name} has more than ${maxBytes} bytes`);
      }
      chunks.push(Uint8Array.from(chunk));
    }
    return Buffer.concat(chunks);
  }

  #file(name: string, sha256: Metafile['sha256'] | undefined, maxBytes: number): DescriptionFile {
    return { url: urlBelow(this.baseUrl, name), sha256, maxBytes };
  }
}

/** Which extension a compressed file's name has: nearly always the same one, so that only exceptions are held. */
class CompressionNames {
  #usual: Compression | undefined;
  readonly #others = new Map<number, Compression>();

  add(resource: number, compression: Compression): void {
    this.#usual ??= compression;
    if (compression !== this.#usual) this.#others.set(resource, compression);
  }

  of(resource: number): Compression {
    return this.#others.get(resource) ?? this.#usual ?? 'zst';
  }
}

function locator(
  baseUrl: URL,
  claims: LegacyClaims,
  table: FileTable,
  compression: CompressionNames,
): (resource: number) => ResourceLocation {
  const plain = urlBelow(baseUrl, `${claims.rootfsDirectory}/`);
  const compressed =
    claims.compressedRootfsDirectory === undefined
      ? undefined
      : urlBelow(baseUrl, `${claims.compressedRootfsDirectory}/`);
  return (resource) => {
    if (compressed !== undefined && table.isCompressed(resource)) {
      const name = `${table.resourceHex(resource)}.${compression.of(resource)}`;
      return { url: urlBelow(compressed, name), encoding: 'zstd' };
    }
    const path = table.path(table.resourceEntry(resource));
    return { url: urlBelow(plain, path.slice(1)), encoding: 'identity' };
  };
}

/** `directory` ends in a slash; `path` does not start with one and was checked to have no "." or ".." in it. */
function urlBelow(directory: URL, path: string): URL {
  return new URL(`${directory.href}${quotePath(path)}`);
}

/**
 * Percent-encodes as Python's `quote` does, because images lie on servers, and in caches, under the names that existing
 * clients ask for: letters, digits and `_.-~/` stand, every other byte of UTF-8 becomes %XX.
 */
export function quotePath(path: string): string {
  return encodeURIComponent(path)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
