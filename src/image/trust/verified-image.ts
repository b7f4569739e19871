import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto';
import type { Sha256 } from '#domain/digest.ts';
import type { ImageContents, VerifiedImage } from '#image/image.ts';
import { ImageError } from '#image/image-error.ts';
import type { TrustStore } from './trust-store.ts';
import { type Chain, verifyChain } from './verify-chain.ts';

declare const trusted: unique symbol;

/** Proof that the description of an image was signed by a key that this vehicle trusts. Only `trustDescription` makes one. */
export interface TrustedDescription {
  /** Digest of exactly the bytes that were signed: it stays the same when the same image is signed again. */
  readonly digest: Sha256;
  readonly chain: Chain;
  readonly [trusted]: true;
}

export interface SignedDescription {
  /** The signer's certificate as the image brings it: PEM, of which the first certificate counts. */
  readonly certificate: Uint8Array;
  /** Exactly the bytes that were signed. */
  readonly signed: Uint8Array;
  /** ECDSA over P-256 and SHA-256, as ASN.1 DER or as the 64 bytes r || s. */
  readonly signature: Uint8Array;
}

/**
 * Checks the signer's certificate against the installed ones, then the signature.
 *
 * Errors: ImageError certificate_malformed, those of `verifyChain`, jwt_signature_invalid.
 */
export function trustDescription(
  description: SignedDescription,
  store: TrustStore,
  now: Date,
): TrustedDescription {
  const { leaf, key } = parseCertificate(description.certificate);
  const chain = verifyChain(leaf, store, now);
  if (!signatureHolds(description, key)) {
    throw new ImageError(
      'jwt_signature_invalid',
      'signature does not match the signed description; it was changed, or signed with another key',
    );
  }
  const digest = createHash('sha256').update(description.signed).digest('hex') as Sha256;
  return { digest, chain } as TrustedDescription;
}

/** Seals what a reader took from a trusted description. The reader has checked every file by its signed digest. */
export function verifiedImage(
  description: TrustedDescription,
  contents: Omit<ImageContents, 'digest'>,
): VerifiedImage {
  return { ...contents, digest: description.digest } as VerifiedImage;
}

function parseCertificate(pem: Uint8Array): { leaf: X509Certificate; key: KeyObject } {
  try {
    const leaf = new X509Certificate(pem);
    // Node decodes the key when it is first asked for, and throws when it cannot.
    return { leaf, key: leaf.publicKey };
  } catch (cause) {
    throw new ImageError('certificate_malformed', "the image's certificate cannot be read as PEM X.509", {
      cause,
    });
  }
}

function signatureHolds({ signed, signature }: SignedDescription, key: KeyObject): boolean {
  // The existing generator writes DER. Standard JWTs hold r || s (RFC 7518 section 3.4), which is 64 bytes here.
  if (verify('sha256', signed, { key, dsaEncoding: 'der' }, signature)) return true;
  return signature.length === 64 && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
