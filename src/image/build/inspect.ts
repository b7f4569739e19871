import { createHash, verify, X509Certificate } from 'node:crypto';
import type { Sha256 } from '#domain/digest.ts';
import { ImageError } from '#image/image-error.ts';
import { certificateOf, claimsOf, maxJwtBytes, parseJwt } from '#image/legacy/metadata-jwt.ts';
import {
  parseDirectoryLine,
  parsePersistentLine,
  parseRegularLine,
  parseSymlinkLine,
} from '#image/legacy/metafiles.ts';
import { readSignedLines } from '#image/legacy/signed-lines.ts';
import type { ImageAccess } from './image-access.ts';
import { layoutNames } from './layout-names.ts';

/** What an image says of itself. Nothing of it is judged: that is what verifying is for. */
export interface ImageSummary {
  /** Null when the image is not signed yet. */
  readonly signature: SignatureSummary | null;
  readonly directories: number;
  readonly symlinks: number;
  readonly regulars: number;
  readonly hardLinkGroups: number;
  readonly hardLinkedFiles: number;
  /** Uncompressed bytes of all regular files, each name counted. */
  readonly totalBytes: number;
  /** Different contents, and their uncompressed bytes. */
  readonly contents: number;
  readonly contentBytes: number;
  readonly compressedContents: number;
  /** Bytes of the contents as the image stores them; null when that cannot be asked. */
  readonly storedBytes: number | null;
  readonly largest: readonly { readonly path: string; readonly bytes: number }[];
  readonly persistents: readonly string[];
}

export interface SignatureSummary {
  readonly subject: string;
  readonly issuer: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** SHA-256 of the certificate, as colon-separated hex. */
  readonly fingerprint: string;
  /** Whether the certificate that lies in the image made the signature. Says nothing about trust. */
  readonly matches: boolean;
}

/** How many of the largest files are named. */
const largestCount = 10;
const maxMetafileBytes = 1024 * 1024 * 1024;
const maxCertificateBytes = 64 * 1024;

interface Metafile {
  readonly name: string;
  readonly sha256: Sha256;
}

interface Description {
  readonly signature: SignatureSummary | null;
  readonly directory: Metafile;
  readonly symboliclink: Metafile;
  readonly regular: Metafile;
  readonly persistent: Metafile;
  readonly rootfsDirectory: string;
  readonly compressedRootfsDirectory: string | undefined;
}

/**
 * Summarises an image, signed or not, without trusting it.
 *
 * Errors: ImageError when its description cannot be read.
 */
export async function inspectImage(access: ImageAccess, signal: AbortSignal): Promise<ImageSummary> {
  const reader = new Inspection(access, signal);
  const description = (await reader.readSigned()) ?? (await reader.readUnsigned());
  let directories = 0;
  let symlinks = 0;
  const persistents: string[] = [];
  const files = new FileSums();
  await reader.lines(description.directory, (line) => {
    parseDirectoryLine(line);
    directories += 1;
  });
  await reader.lines(description.symboliclink, (line) => {
    parseSymlinkLine(line);
    symlinks += 1;
  });
  await reader.lines(description.regular, (line) => files.add(line));
  await reader.lines(description.persistent, (line) => persistents.push(parsePersistentLine(line)));
  return {
    signature: description.signature,
    directories,
    symlinks,
    ...files.sums(),
    storedBytes: await reader.storedBytes(files, description),
    largest: files.largest,
    persistents,
  };
}

class FileSums {
  regulars = 0;
  totalBytes = 0;
  readonly largest: { path: string; bytes: number }[] = [];
  readonly contents = new Map<Sha256, { size: number; extension: string | undefined }>();
  readonly #groups = new Map<string, number>();

  add(line: string): void {
    const { path, sha256, size = 0, inode, compression } = parseRegularLine(line);
    this.regulars += 1;
    this.totalBytes += size;
    if (inode !== undefined) this.#groups.set(inode, (this.#groups.get(inode) ?? 0) + 1);
    if (this.contents.has(sha256)) return;
    this.contents.set(sha256, { size, extension: compression });
    const { largest } = this;
    if (largest.length === largestCount && size <= (largest.at(-1)?.bytes ?? 0)) return;
    const at = largest.findIndex((other) => other.bytes < size);
    largest.splice(at === -1 ? largest.length : at, 0, { path, bytes: size });
    largest.length = Math.min(largest.length, largestCount);
  }

  sums(): Pick<
    ImageSummary,
    | 'regulars'
    | 'totalBytes'
    | 'hardLinkGroups'
    | 'hardLinkedFiles'
    | 'contents'
    | 'contentBytes'
    | 'compressedContents'
  > {
    const groups = [...this.#groups.values()].filter((names) => names > 1);
    const contents = [...this.contents.values()];
    return {
      regulars: this.regulars,
      totalBytes: this.totalBytes,
      hardLinkGroups: groups.length,
      hardLinkedFiles: groups.reduce((sum, names) => sum + names, 0),
      contents: contents.length,
      contentBytes: contents.reduce((sum, content) => sum + content.size, 0),
      compressedContents: contents.filter((content) => content.extension !== undefined).length,
    };
  }
}

class Inspection {
  readonly #access: ImageAccess;
  readonly #signal: AbortSignal;

  constructor(access: ImageAccess, signal: AbortSignal) {
    this.#access = access;
    this.#signal = signal;
  }

  async readSigned(): Promise<Description | undefined> {
    const { mayBeUnsigned } = this.#access;
    if (mayBeUnsigned && (await this.#access.identify(this.#url(layoutNames.signed))) === undefined) {
      return undefined;
    }
    const jwt = parseJwt(await this.#whole(layoutNames.signed, maxJwtBytes));
    const pem = await this.#whole(certificateOf(jwt).name, maxCertificateBytes);
    const certificate = new X509Certificate(pem);
    const key = { key: certificate.publicKey, dsaEncoding: 'der' } as const;
    return {
      ...claimsOf(jwt),
      signature: {
        subject: certificate.subject.replaceAll('\n', ', '),
        issuer: certificate.issuer.replaceAll('\n', ', '),
        validFrom: certificate.validFromDate.toISOString(),
        validTo: certificate.validToDate.toISOString(),
        fingerprint: certificate.fingerprint256,
        matches: verify('sha256', jwt.signed, key, jwt.signature),
      },
    };
  }

  /** Names and digests as signing would write them. */
  async readUnsigned(): Promise<Description> {
    const digested = async (name: string): Promise<Metafile> => {
      const hash = createHash('sha256');
      for await (const chunk of this.#access.read(this.#url(name), this.#signal)) hash.update(chunk);
      return { name, sha256: hash.digest('hex') as Sha256 };
    };
    return {
      signature: null,
      directory: await digested(layoutNames.directories),
      symboliclink: await digested(layoutNames.symlinks),
      regular: await digested(layoutNames.regulars),
      persistent: await digested(layoutNames.persistents),
      rootfsDirectory: layoutNames.plain,
      compressedRootfsDirectory: layoutNames.compressed,
    };
  }

  async lines(file: Metafile, onLine: (line: string) => void): Promise<void> {
    const chunks = this.#access.read(this.#url(file.name), this.#signal);
    await readSignedLines({ ...file, maxBytes: maxMetafileBytes, chunks }, onLine, this.#signal);
  }

  /** Asks only for the compressed contents: the size of the others is in the description. */
  async storedBytes(files: FileSums, description: Description): Promise<number | null> {
    let sum = 0;
    for (const [sha256, { size, extension }] of files.contents) {
      this.#signal.throwIfAborted();
      if (extension === undefined) {
        sum += size;
        continue;
      }
      const folder = description.compressedRootfsDirectory ?? layoutNames.compressed;
      const stored = await this.#access.identify(this.#url(`${folder}/${sha256}.${extension}`));
      if (stored === undefined) return null;
      sum += stored.bytes;
    }
    return sum;
  }

  #url(name: string): URL {
    return new URL(this.#access.baseUrl.href + name);
  }

  async #whole(name: string, maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.#access.read(this.#url(name), this.#signal)) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new ImageError('metadata_too_large', `${name} is over ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}
