import type { X509Certificate } from 'node:crypto';
import { ImageError } from '#image/image-error.ts';
import { constraintsOf } from './constraints.ts';
import { type TrustStore, wasIssuedBy } from './trust-store.ts';

/** Certificates in a chain, leaf and root included. Existing vehicles have three. */
const maxChainLength = 8;
/** Chains that are tried when many installed certificates share a name and a key. */
const maxChainsTried = 100;

export type Chain = readonly [leaf: X509Certificate, ...authorities: X509Certificate[]];

/**
 * Finds the way from an image's certificate to an installed root, through installed authorities only, and checks that
 * every certificate on it is valid at `now`. A leaf that is itself an installed self-signed certificate is a chain of
 * one: existing tools make such keys too, and installing it was the act of trust.
 *
 * Errors: ImageError trust_store_empty, certificate_not_trusted, certificate_expired, certificate_not_yet_valid,
 * certificate_key_refused, certificate_malformed.
 */
export function verifyChain(leaf: X509Certificate, store: TrustStore, now: Date): Chain {
  if (!store.certificates.some((installed) => installed.selfSigned)) {
    const mend = 'install the root certificate of your images there';
    throw new ImageError(
      'trust_store_empty',
      `no root certificate is installed in ${store.directory}; ${mend}`,
    );
  }
  let tried = 0;
  let refusal: ImageError | undefined;
  for (const chain of chainsToRoots([leaf], store)) {
    refusal = validityRefusal(chain, now);
    if (refusal === undefined) {
      requireSigningKey(chain);
      return chain;
    }
    if (++tried === maxChainsTried) break;
  }
  throw (
    refusal ??
    new ImageError(
      'certificate_not_trusted',
      `certificate of ${nameOf(leaf)} was not issued, directly or through installed authorities, ` +
        `by a root in ${store.directory}; sign with a key of an installed chain, or install its chain`,
    )
  );
}

/** Every chain of issuers from the last certificate of `path` to an installed root, whatever its dates. */
function* chainsToRoots(path: Chain, store: TrustStore): Generator<Chain> {
  const last = path[path.length - 1] ?? path[0];
  for (const { certificate: candidate, selfSigned } of store.certificates) {
    if (path.length === 1 && selfSigned && candidate.raw.equals(last.raw)) yield path;
    if (path.includes(candidate) || !wasIssuedBy(last, candidate) || !isAuthority(candidate, selfSigned))
      continue;
    // RFC 5280 section 4.2.1.9: the path length counts the CAs below, without the leaf.
    if (constraintsOf(candidate).pathLength < path.length - 1) continue;
    const longer: Chain = [...path, candidate];
    if (selfSigned) yield longer;
    else if (longer.length < maxChainLength) yield* chainsToRoots(longer, store);
  }
}

/**
 * A certificate that is no CA vouches for nobody. One of version 1 cannot say that it is one: as a root it was installed
 * to be one (RFC 5280 section 6.1.4 (k)), anywhere else it is none.
 */
function isAuthority(certificate: X509Certificate, selfSigned: boolean): boolean {
  return certificate.ca || (selfSigned && constraintsOf(certificate).isVersion1);
}

function validityRefusal(chain: Chain, now: Date): ImageError | undefined {
  for (const certificate of chain) {
    const { validFromDate: from, validToDate: to } = certificate;
    if (now < from) {
      return new ImageError(
        'certificate_not_yet_valid',
        `certificate of ${nameOf(certificate)} is valid from ${from.toISOString()}, it is ${now.toISOString()}; ` +
          `check the clock of this ECU`,
      );
    }
    if (now > to) {
      return new ImageError(
        'certificate_expired',
        `certificate of ${nameOf(certificate)} was valid until ${to.toISOString()}, it is ${now.toISOString()}; ` +
          `sign the image with a valid certificate`,
      );
    }
  }
  return undefined;
}

/** ES256 is ECDSA on P-256 and nothing else (RFC 7518 section 3.4). */
function requireSigningKey(chain: Chain): void {
  const leaf = chain[0];
  const { asymmetricKeyType, asymmetricKeyDetails } = leaf.publicKey;
  if (asymmetricKeyType !== 'ec' || asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ImageError('certificate_key_refused', `key of ${nameOf(leaf)} is not an EC key on P-256`);
  }
  // A leaf that is itself installed says by that what it is for; others may be certified for another use.
  if (chain.length > 1 && !constraintsOf(leaf).signsData) {
    throw new ImageError(
      'certificate_key_refused',
      `key usage of ${nameOf(leaf)} does not allow to sign data`,
    );
  }
}

function nameOf(certificate: X509Certificate): string {
  return JSON.stringify(certificate.subject.replaceAll('\n', ', ').slice(0, 200));
}
