import { createHash, createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeDurably } from '#host/durable-file.ts';
import { ImageError } from '#image/image-error.ts';
import { layoutNames } from './layout-names.ts';

export interface SignerFiles {
  /** PEM file of the signing certificate; copied into images under its base name. */
  readonly certificate: string;
  /** PEM file of its private key: EC P-256. */
  readonly key: string;
  /** @default now */
  readonly now?: Date;
}

/** A key that can sign images, and its certificate. */
export interface Signer {
  /** Name of the certificate in the images. */
  readonly certificateName: string;
  readonly certificatePem: Buffer;
  readonly subject: string;
  readonly validTo: Date;
  /** A secret: never logged. */
  readonly key: KeyObject;
}

/**
 * Loads a signing key and checks that it can be used, so that a long build does not end with a key that cannot.
 *
 * Errors: ImageError options_invalid, certificate_malformed, certificate_key_refused, certificate_expired,
 * certificate_not_yet_valid.
 */
export async function loadSigner(files: SignerFiles): Promise<Signer> {
  const certificateName = plainName(basename(files.certificate));
  const certificatePem = await readInput(files.certificate);
  const certificate = parseCertificate(certificatePem, files.certificate);
  const key = parseKey(await readInput(files.key), files.key);
  requireUsable(certificate, key, files.now ?? new Date());
  const subject = certificate.subject.replaceAll('\n', ', ');
  return { certificateName, certificatePem, subject, validTo: certificate.validToDate, key };
}

/**
 * Signs an image, `directory` being what `buildImage` made: writes metadata.jwt, which names every metadata file by its
 * digest, and the certificate beside it. An image can be signed again, by another key too.
 *
 * Errors: ImageError source_unreadable when there is no image.
 */
export async function signImage(directory: string, signer: Signer): Promise<void> {
  const { certificateName, certificatePem, key } = signer;
  const claims = await claimsFor(directory, certificateName, sha256Of(certificatePem));
  await writeDurably(join(directory, certificateName), certificatePem);
  await writeDurably(join(directory, layoutNames.signed), signedText(claims, key));
}

/** The payload, as existing generators write it: an array of small objects. */
async function claimsFor(image: string, certificate: string, certificateHash: string): Promise<object[]> {
  const hashed = async (claim: string, name: string): Promise<object> => ({
    [claim]: name,
    hash: await sha256OfFile(join(image, name)),
  });
  const compressed = await isDirectory(join(image, layoutNames.compressed));
  return [
    { version: 1 },
    await hashed('directory', layoutNames.directories),
    await hashed('symboliclink', layoutNames.symlinks),
    await hashed('regular', layoutNames.regulars),
    await hashed('persistent', layoutNames.persistents),
    { certificate, hash: certificateHash },
    { rootfs_directory: layoutNames.plain },
    { total_regular_size: (await readImageFile(join(image, layoutNames.totalSize))).trim() },
    ...(compressed ? [{ compressed_rootfs_directory: layoutNames.compressed }] : []),
  ];
}

/**
 * Header, payload and signature, base64url with padding, the signature as ASN.1 DER: existing clients accept neither
 * unpadded parts nor the r || s of standard JWTs.
 */
function signedText(claims: readonly object[], key: KeyObject): string {
  const signed = `${paddedBase64Url('{"alg": "ES256"}')}.${paddedBase64Url(JSON.stringify(claims))}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'der' });
  return `${signed}.${paddedBase64Url(signature)}`;
}

function paddedBase64Url(data: string | Buffer): string {
  return Buffer.from(data as string)
    .toString('base64')
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

function requireUsable(certificate: X509Certificate, key: KeyObject, now: Date): void {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ImageError('certificate_key_refused', 'signing key is not an EC key on P-256');
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new ImageError('certificate_key_refused', 'signing key does not belong to the certificate');
  }
  const { validFromDate: from, validToDate: to } = certificate;
  if (now < from) {
    throw new ImageError('certificate_not_yet_valid', `certificate is valid from ${from.toISOString()} only`);
  }
  if (now > to) {
    throw new ImageError('certificate_expired', `certificate was valid until ${to.toISOString()}`);
  }
}

/** Readers take the certificate's name for one plain name below the image's URL. */
function plainName(name: string): string {
  const taken: readonly string[] = Object.values(layoutNames);
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,200}$/.test(name) || taken.includes(name)) {
    throw new ImageError(
      'options_invalid',
      `certificate ${JSON.stringify(name)} goes into the image under this name: it must be plain and not one of the image's own`,
    );
  }
  return name;
}

/** The whole file goes into the image, for everyone to read: it must hold no key. */
function parseCertificate(pem: Buffer, file: string): X509Certificate {
  if (pem.includes('PRIVATE KEY')) {
    throw new ImageError('options_invalid', `${file} holds a private key: it must hold the certificate only`);
  }
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ImageError('certificate_malformed', `${file} is no PEM certificate`, { cause });
  }
}

function parseKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is left out: it may quote the key.
    throw new ImageError('options_invalid', `${file} is no PEM private key, or is encrypted`);
  }
}

async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new ImageError('options_invalid', `${file} cannot be read`, { cause });
  }
}

async function readImageFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ImageError('source_unreadable', `${file} cannot be read: build the image first`, { cause });
  }
}

async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (cause) {
    throw new ImageError('source_unreadable', `${file} cannot be read: build the image first`, { cause });
  }
  return hash.digest('hex');
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
