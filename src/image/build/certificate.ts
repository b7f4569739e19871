import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octets,
  oid,
  readDer,
  sequence,
  set,
  time,
  utf8,
} from '#image/der.ts';
import { ImageError } from '#image/image-error.ts';

/** The parts of an X.500 name that a signing chain needs. Every part is at least one character. */
export interface DistinguishedName {
  readonly commonName: string;
  readonly organization?: string;
}

/** Bits of the keyUsage extension, numbered as in RFC 5280 section 4.2.1.3. */
const keyUsageBits = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof keyUsageBits;

export interface CertificateOptions {
  readonly subject: DistinguishedName;
  /** Equal to `subject`, with its own key as `signerKey`, for a root. */
  readonly issuer: DistinguishedName;
  /** The certified key; a private key stands for its public half. */
  readonly publicKey: KeyObject;
  /** The issuer's private key: EC P-256. */
  readonly signerKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isCa: boolean;
  /** How many further CAs may stand below this one; only for CAs. */
  readonly pathLength?: number;
  /** Unsigned big-endian bytes; 16 random ones by default. */
  readonly serial?: Uint8Array;
  /** By default signing of certificates and CRLs for a CA, of data for a leaf. */
  readonly keyUsage?: readonly KeyUsage[];
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

/**
 * Makes an X.509 v3 certificate (RFC 5280), signed with ECDSA P-256 and SHA-256, as PEM text. Node reads certificates
 * but makes none, and an `openssl` command is not there on every machine.
 *
 * Errors: ImageError options_invalid when the signer's key is not EC P-256, or the validity is not a period.
 */
export function makeCertificate(options: CertificateOptions): string {
  requireP256(options.signerKey);
  if (!(options.notBefore < options.notAfter)) {
    throw new ImageError(
      'options_invalid',
      'certificate must be valid from an earlier time than it is valid to',
    );
  }
  const body = certificateBody(options);
  const signature = sign('sha256', body, options.signerKey);
  const der = sequence(body, ecdsaWithSha256, bitString(signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** TBSCertificate, RFC 5280 section 4.1. */
function certificateBody(options: CertificateOptions): Buffer {
  const spki = publicHalf(options.publicKey).export({ type: 'spki', format: 'der' });
  return sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(Buffer.from(options.serial ?? randomSerial())),
    ecdsaWithSha256,
    nameOf(options.issuer),
    sequence(time(options.notBefore), time(options.notAfter)),
    nameOf(options.subject),
    spki,
    explicit(3, sequence(...extensions(options, spki))),
  );
}

function extensions(options: CertificateOptions, spki: Buffer): Buffer[] {
  const usage = options.keyUsage ?? (options.isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature']);
  const issuerSpki = publicHalf(options.signerKey).export({ type: 'spki', format: 'der' });
  const constraints: Buffer[] = [];
  if (options.isCa) {
    constraints.push(boolean(true));
    if (options.pathLength !== undefined) constraints.push(integer(Buffer.from([options.pathLength])));
  }
  return [
    extension('2.5.29.19', true, sequence(...constraints)),
    extension('2.5.29.15', true, usageBits(usage)),
    extension('2.5.29.14', false, octets(keyId(spki))),
    extension('2.5.29.35', false, sequence(implicit(0, keyId(issuerSpki)))),
  ];
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

/** A named bit list: DER wants no trailing zero bits (X.690 section 11.2.2). */
function usageBits(usage: readonly KeyUsage[]): Buffer {
  let bits = 0;
  let last = 0;
  for (const name of usage) {
    bits |= 0x80 >> keyUsageBits[name];
    last = Math.max(last, keyUsageBits[name]);
  }
  return usage.length === 0 ? bitString(Buffer.alloc(0)) : bitString(Buffer.from([bits]), 7 - last);
}

/** SHA-1 over the bits of the key: method 1 of RFC 5280 section 4.2.1.2, which other tools use too. It is a name only. */
function keyId(spki: Buffer): Buffer {
  const [, key] = readDer(readDer(spki)[0]?.content ?? spki);
  return createHash('sha1')
    .update((key?.content ?? spki).subarray(1))
    .digest();
}

function nameOf(name: DistinguishedName): Buffer {
  const part = (id: string, value: string): Buffer => set(sequence(oid(id), utf8(value)));
  const organization = name.organization === undefined ? [] : [part('2.5.4.10', name.organization)];
  return sequence(...organization, part('2.5.4.3', name.commonName));
}

function randomSerial(): Buffer {
  const serial = randomBytes(16);
  // Neither zero nor, read as a signed number, negative (RFC 5280 section 4.1.2.2).
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

function publicHalf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key;
}

function requireP256(key: KeyObject): void {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ImageError('options_invalid', 'signing key must be an EC key on the curve P-256 (prime256v1)');
  }
}
