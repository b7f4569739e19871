import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '#host/durable-file.ts';
import { ImageError } from '#image/image-error.ts';
import { type DistinguishedName, makeCertificate } from './certificate.ts';

export interface KeyOptions {
  /** Made when missing. */
  readonly directory: string;
  /** Names the chain: certificates are installed as `<chain>.root.pem` and `<chain>.intermediate.pem`. @default ota */
  readonly chain?: string;
  /** Written into the certificates. @default none */
  readonly organization?: string;
  /** How long the signing certificate is valid. The authorities above it are valid for 20 and 30 years. @default 730 */
  readonly days?: number;
  /** @default now */
  readonly now?: Date;
}

/** Paths of what was made. Only `trust` belongs on vehicles. */
export interface KeyFiles {
  readonly trust: readonly [root: string, intermediate: string];
  readonly rootKey: string;
  readonly intermediateKey: string;
  readonly signCertificate: string;
  readonly signKey: string;
}

const dayMs = 24 * 60 * 60 * 1000;
const yearDays = 365;

/**
 * Makes a root, an intermediate and a signing key (EC P-256), and their certificates. Private keys are files that only
 * their owner can read. Nothing is ever overwritten.
 *
 * Errors: ImageError options_invalid; those of the file system.
 */
export async function makeKeys(options: KeyOptions): Promise<KeyFiles> {
  const { directory, chain = 'ota', days = 730, now = new Date() } = options;
  // Existing clients take files named <chain>.<any>.pem for parts of one chain, with these letters only.
  if (!/^[A-Za-z0-9_-]+$/.test(chain)) {
    throw new ImageError(
      'options_invalid',
      `chain name ${JSON.stringify(chain)} must be letters, digits, _ or -`,
    );
  }
  if (!Number.isInteger(days) || days < 1 || days > 20 * yearDays) {
    throw new ImageError(
      'options_invalid',
      `signing certificate must be valid for 1 to ${20 * yearDays} days`,
    );
  }
  const files: KeyFiles = {
    trust: [join(directory, `${chain}.root.pem`), join(directory, `${chain}.intermediate.pem`)],
    rootKey: join(directory, `${chain}.root.key`),
    intermediateKey: join(directory, `${chain}.intermediate.key`),
    signCertificate: join(directory, 'sign.pem'),
    signKey: join(directory, 'sign.key'),
  };
  await mkdir(directory, { recursive: true });
  await refuseExisting([
    ...files.trust,
    files.rootKey,
    files.intermediateKey,
    files.signCertificate,
    files.signKey,
  ]);
  const name = (commonName: string): DistinguishedName => ({
    commonName,
    ...(options.organization === undefined ? {} : { organization: options.organization }),
  });
  // Clocks of vehicles lag: a certificate that is valid only from this second on would be refused by some.
  const validity = (lifeDays: number): { notBefore: Date; notAfter: Date } => ({
    notBefore: new Date(now.getTime() - dayMs),
    notAfter: new Date(now.getTime() + lifeDays * dayMs),
  });
  const [root, intermediate, signing] = [newKey(), newKey(), newKey()];
  const [rootName, intermediateName] = [name(`${chain} root`), name(`${chain} intermediate`)];
  const rootPem = makeCertificate({
    subject: rootName,
    issuer: rootName,
    publicKey: root,
    signerKey: root,
    isCa: true,
    ...validity(30 * yearDays),
  });
  const intermediatePem = makeCertificate({
    subject: intermediateName,
    issuer: rootName,
    publicKey: intermediate,
    signerKey: root,
    isCa: true,
    pathLength: 0,
    ...validity(20 * yearDays),
  });
  const signPem = makeCertificate({
    subject: name(`${chain} image signer`),
    issuer: intermediateName,
    publicKey: signing,
    signerKey: intermediate,
    isCa: false,
    ...validity(days),
  });
  await writeDurably(files.rootKey, keyText(root), 0o600);
  await writeDurably(files.intermediateKey, keyText(intermediate), 0o600);
  await writeDurably(files.signKey, keyText(signing), 0o600);
  await writeDurably(files.trust[0], rootPem);
  await writeDurably(files.trust[1], intermediatePem);
  await writeDurably(files.signCertificate, signPem);
  return files;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function keyText(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

/** A key that is overwritten is lost, and with it every vehicle that trusts only it. */
async function refuseExisting(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) throw new ImageError('options_invalid', `${file} exists already; keys are never overwritten`);
  }
}
