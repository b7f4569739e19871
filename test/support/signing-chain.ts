import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CertificateOptions, makeCertificate } from '#image/build/certificate.ts';
import { loadTrustStore, type TrustStore } from '#image/trust/trust-store.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function p256(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** The time of every test in which certificates matter. */
export const testNow = new Date('2026-06-01T12:00:00Z');

const always = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2040-01-01T00:00:00Z') };

/** A certificate and its key. */
export interface Signer {
  readonly name: string;
  readonly pem: string;
  readonly key: KeyPair;
}

/** A self-signed certificate that is a CA unless told otherwise. */
export function makeRoot(name: string, overrides: Partial<CertificateOptions> = {}): Signer {
  const key = p256();
  const subject = { commonName: name };
  const pem = makeCertificate({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    signerKey: key.privateKey,
    isCa: true,
    ...always,
    ...overrides,
  });
  return { name, pem, key };
}

/** A certificate issued by another; a leaf unless told otherwise. */
export function issue(
  issuer: Signer,
  name: string,
  overrides: Partial<CertificateOptions> = {},
  key: KeyPair = p256(),
): Signer {
  const pem = makeCertificate({
    subject: { commonName: name },
    issuer: { commonName: issuer.name },
    publicKey: key.publicKey,
    signerKey: issuer.key.privateKey,
    isCa: false,
    ...always,
    ...overrides,
  });
  return { name, pem, key };
}

export interface SigningChain {
  readonly root: Signer;
  readonly intermediate: Signer;
  readonly leaf: Signer;
}

/** Root, intermediate and signing certificate, as existing vehicles have them: names are the same for every chain. */
export function makeChain(): SigningChain {
  const root = makeRoot('root.example');
  const intermediate = issue(root, 'intermediate.example', { isCa: true, pathLength: 0 });
  return { root, intermediate, leaf: issue(intermediate, 'sign.example') };
}

/** Installs certificates as files of a directory, and loads them from there. */
export async function installed(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<TrustStore> {
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return loadTrustStore(directory);
}

/** Installs root and intermediate of a chain under the names that existing vehicles use. */
export function installChain(directory: string, chain: SigningChain, name = 'dev'): Promise<TrustStore> {
  return installed(directory, {
    [`${name}.root.pem`]: chain.root.pem,
    [`${name}.intermediate.pem`]: chain.intermediate.pem,
  });
}
