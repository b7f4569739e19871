import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** More than any vehicle installs, and little enough to hold. */
const storeLimits = { files: 1000, fileBytes: 1024 * 1024, certificates: 1000 } as const;

export interface InstalledCertificate {
  readonly certificate: X509Certificate;
  /** Where it was found, for messages. */
  readonly file: string;
  /** Signed with its own key: a root, where every chain of trust has to end. */
  readonly selfSigned: boolean;
}

/** Something in the directory that is no certificate; the rest of the store counts all the same. */
export interface StoreProblem {
  readonly file: string;
  readonly problem: string;
}

/** The certificates that were installed on the vehicle. Nothing that an image brings along is ever added. */
export interface TrustStore {
  readonly directory: string;
  readonly certificates: readonly InstalledCertificate[];
  readonly problems: readonly StoreProblem[];
}

/**
 * Reads every certificate in the `*.pem` and `*.crt` files of a directory. Existing vehicles name them
 * `<chain>.<any>.pem` and keep several chains, whose subjects may be equal; names mean nothing here, because each step
 * of a chain is proved by its signature.
 *
 * Never fails: a directory or file that cannot be read is a problem in the result, and an empty store trusts nothing.
 */
export async function loadTrustStore(directory: string): Promise<TrustStore> {
  const certificates = new Map<string, InstalledCertificate>();
  const problems: StoreProblem[] = [];
  for (const file of await listFiles(directory, problems)) {
    try {
      for (const pem of await readCertificates(file)) {
        const certificate = new X509Certificate(pem);
        const installed = { certificate, file, selfSigned: wasIssuedBy(certificate, certificate) };
        if (!certificates.has(certificate.fingerprint256)) {
          certificates.set(certificate.fingerprint256, installed);
        }
        if (certificates.size > storeLimits.certificates) {
          problems.push({
            file,
            problem: `more than ${storeLimits.certificates} certificates; rest ignored`,
          });
          return { directory, certificates: [...certificates.values()], problems };
        }
      }
    } catch (error) {
      problems.push({ file, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return { directory, certificates: [...certificates.values()], problems };
}

/** Whether `issuer` signed `certificate`: names and key identifiers match, its key may sign, and the signature holds. */
export function wasIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // OpenSSL throws, rather than answers no, for a key of a kind that it does not know.
    return false;
  }
}

async function listFiles(directory: string, problems: StoreProblem[]): Promise<string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => /\.(pem|crt)$/i.test(name)).sort();
    if (names.length > storeLimits.files) {
      problems.push({ file: directory, problem: `more than ${storeLimits.files} files; rest ignored` });
    }
    return names.slice(0, storeLimits.files).map((name) => join(directory, name));
  } catch (error) {
    problems.push({ file: directory, problem: error instanceof Error ? error.message : String(error) });
    return [];
  }
}

/** The PEM blocks of one file, each on its own. Keys and prose between them are passed over. */
async function readCertificates(file: string): Promise<string[]> {
  const { size } = await stat(file);
  if (size > storeLimits.fileBytes) throw new Error(`larger than ${storeLimits.fileBytes} bytes`);
  const text = await readFile(file, 'latin1');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) throw new Error('holds no PEM certificate');
  return blocks;
}
