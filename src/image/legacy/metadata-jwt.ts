import { isSha256, type Sha256 } from '#domain/digest.ts';
import { ImageError } from '#image/image-error.ts';

/** Name of the signed description, below the image's base URL. */
export const metadataJwtName = 'metadata.jwt';

/** Bytes; a real metadata.jwt has about 1200. */
export const maxJwtBytes = 256 * 1024;

/** A file of the image's description and the digest it must have. */
export interface Metafile {
  readonly name: string;
  readonly sha256: Sha256;
}

/** What the signed description says. */
export interface LegacyClaims {
  readonly directory: Metafile;
  readonly symboliclink: Metafile;
  readonly regular: Metafile;
  readonly persistent: Metafile;
  readonly certificate: Metafile;
  /** Name of the directory of plain files. */
  readonly rootfsDirectory: string;
  /** Name of the directory of compressed files. */
  readonly compressedRootfsDirectory: string | undefined;
  /** Sum over all regular files in bytes, hard links counted each time; a hint that may be missing. */
  readonly totalRegularSize: number | undefined;
}

/** A metadata.jwt taken apart. Nothing in it is proved yet. */
export interface UnverifiedJwt {
  /** The ASCII bytes `header.payload`, as they were signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly payload: unknown;
}

/**
 * Takes a metadata.jwt apart and refuses every algorithm but ES256: the header is the attacker's until the signature
 * is checked, and must not choose how that is done (RFC 8725 section 3.1).
 *
 * Errors: ImageError jwt_malformed, jwt_algorithm_refused.
 */
export function parseJwt(bytes: Uint8Array): UnverifiedJwt {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').trimEnd();
  const [header, payload, signature, ...rest] = text.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw malformed('it must be header, payload and signature, joined by dots');
  }
  requireEs256(parseJson(decodeBase64Url(header, 'header'), 'header'));
  return {
    signed: Buffer.from(`${header}.${payload}`, 'latin1'),
    signature: decodeBase64Url(signature, 'signature'),
    payload: parseJson(decodeBase64Url(payload, 'payload'), 'payload'),
  };
}

/**
 * The one claim that has to be read before anything is proved: which certificate to fetch. Its name is a plain base
 * name, so that an attacker cannot make us read or request anything else.
 *
 * Errors: ImageError claims_invalid, file_name_refused.
 */
export function certificateOf(jwt: UnverifiedJwt): Metafile {
  return requireMetafile(mergeClaims(jwt.payload), 'certificate');
}

/**
 * All claims; to be called once the signature holds.
 *
 * Errors: ImageError claims_invalid, version_unsupported, file_name_refused.
 */
export function claimsOf(jwt: UnverifiedJwt): LegacyClaims {
  const claims = mergeClaims(jwt.payload);
  const version = claims.get('version')?.value;
  if (version === undefined) throw invalid('it has no "version"');
  if (version !== 1 && version !== '1') {
    throw new ImageError(
      'version_unsupported',
      `${metadataJwtName} has version ${JSON.stringify(version)?.slice(0, 40)}; this client reads version 1`,
    );
  }
  const rootfsDirectory = directoryClaim(claims, 'rootfs_directory');
  if (rootfsDirectory === undefined) throw invalid('it has no "rootfs_directory"');
  return {
    directory: requireMetafile(claims, 'directory'),
    symboliclink: requireMetafile(claims, 'symboliclink'),
    regular: requireMetafile(claims, 'regular'),
    persistent: requireMetafile(claims, 'persistent'),
    certificate: requireMetafile(claims, 'certificate'),
    rootfsDirectory,
    compressedRootfsDirectory: directoryClaim(claims, 'compressed_rootfs_directory'),
    totalRegularSize: totalSize(claims.get('total_regular_size')?.value),
  };
}

/** A claim and the `hash` that stands in the same object. */
interface Claim {
  readonly value: unknown;
  readonly hash: unknown;
}

/** The payload is an array of small objects, which together make one; what we do not know in it is passed over. */
function mergeClaims(payload: unknown): Map<string, Claim> {
  if (!Array.isArray(payload)) throw invalid('its payload is not an array');
  const claims = new Map<string, Claim>();
  for (const item of payload as readonly unknown[]) {
    if (!isObject(item)) throw invalid('its payload holds something that is not an object');
    for (const [key, value] of Object.entries(item)) {
      if (key === 'hash') continue;
      if (claims.has(key)) throw invalid(`it says ${JSON.stringify(key.slice(0, 40))} twice`);
      claims.set(key, { value, hash: item['hash'] });
    }
  }
  return claims;
}

function requireMetafile(claims: ReadonlyMap<string, Claim>, key: string): Metafile {
  const claim = claims.get(key);
  if (claim === undefined) throw invalid(`it has no "${key}"`);
  const { value, hash } = claim;
  if (typeof value !== 'string') throw invalid(`its "${key}" is not a file name`);
  if (typeof hash !== 'string' || !isSha256(hash.toLowerCase())) {
    throw invalid(`the "hash" of its "${key}" is not a SHA-256 digest in hex`);
  }
  return { name: plainName(value, key), sha256: hash.toLowerCase() as Sha256 };
}

/** Written by hand at some makers, so that a slash at the end is tolerated. Empty means none, as for existing clients. */
function directoryClaim(claims: ReadonlyMap<string, Claim>, key: string): string | undefined {
  const value = claims.get(key)?.value;
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`its "${key}" is not a directory name`);
  return plainName(value.replace(/(?<!\/)\/$/, ''), key);
}

/** A name that stays one name in a URL and on disk: no directory, no scheme, no query. */
function plainName(name: string, key: string): string {
  if (name === '' || name === '.' || name === '..' || name.length > 255 || /[/\\:?#%\p{Cc}]/u.test(name)) {
    const shown = JSON.stringify(name.slice(0, 80));
    throw new ImageError(
      'file_name_refused',
      `${metadataJwtName}: "${key}" is ${shown}, it must be a plain file name`,
    );
  }
  if (!name.isWellFormed()) throw invalid(`its "${key}" is not valid Unicode`);
  return name;
}

function totalSize(value: unknown): number | undefined {
  if (value === undefined || value === '') return undefined;
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !/^\s*\d{1,15}\s*$/.test(text)) {
    throw invalid('its "total_regular_size" is not a decimal number');
  }
  return Number(text);
}

function requireEs256(header: unknown): void {
  if (!isObject(header)) throw malformed('its header is not a JSON object');
  if (header['alg'] !== 'ES256') {
    const alg = JSON.stringify(header['alg'])?.slice(0, 40) ?? 'nothing';
    throw new ImageError(
      'jwt_algorithm_refused',
      `${metadataJwtName} names the algorithm ${alg}; only "ES256" is accepted`,
    );
  }
  // RFC 7515 section 4.1.11: extensions that must be understood; we know none.
  if (header['crit'] !== undefined) throw malformed('its header demands extensions ("crit")');
}

/** Padded, as the existing generator writes it, or unpadded, as RFC 7515 section 2 wants it. */
function decodeBase64Url(text: string, part: string): Buffer {
  const digits = text.replace(/=+$/, '');
  const padding = text.length - digits.length;
  if (
    !/^[A-Za-z0-9_-]+$/.test(digits) ||
    digits.length % 4 === 1 ||
    (padding > 0 && (padding > 2 || text.length % 4 !== 0))
  ) {
    throw malformed(`its ${part} is not base64url`);
  }
  return Buffer.from(digits, 'base64url');
}

function parseJson(bytes: Buffer, part: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw malformed(`its ${part} is not JSON`, cause);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(problem: string, cause?: unknown): ImageError {
  return new ImageError('jwt_malformed', `${metadataJwtName} is malformed: ${problem}`, { cause });
}

function invalid(problem: string): ImageError {
  return new ImageError('claims_invalid', `${metadataJwtName} is invalid: ${problem}`);
}
