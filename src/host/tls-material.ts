import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** Files of a server's certificate with its chain, its key, and the authorities that client certificates must be of; PEM. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** What a server speaks TLS with. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of client certificates; undefined when none are taken. */
  readonly ca: Buffer | undefined;
}

export type TlsFileErrorCode = 'tls_unreadable' | 'tls_invalid';

/** A file that TLS cannot be spoken with; `what` names it, by its option and path. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  readonly code: TlsFileErrorCode;
  readonly what: string;

  constructor(code: TlsFileErrorCode, what: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`${what} cannot be ${code === 'tls_invalid' ? 'used' : 'read'}: ${why}`, { cause });
    this.code = code;
    this.what = what;
  }
}

/** Reads the files and tries them out; `names` are those of their options. Errors: TlsFileError. */
export async function readTlsMaterial(
  files: TlsFiles,
  names: { readonly [K in keyof TlsFiles]-?: string },
): Promise<TlsMaterial> {
  const cert = await read(names.certificate, files.certificate);
  const key = await read(names.key, files.key);
  const ca = files.ca === undefined ? undefined : await read(names.ca, files.ca);
  attempt(`${names.certificate} ${files.certificate}`, () => createSecureContext({ cert }));
  attempt(`${names.key} ${files.key}`, () => createSecureContext({ cert, key }));
  if (ca !== undefined) {
    attempt(`${names.ca} ${files.ca}`, () => {
      // OpenSSL takes a file without any certificate for an empty list, and Node an empty file for its own list.
      if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('there is no certificate in it');
      createSecureContext({ ca });
    });
  }
  return { cert, key, ca };
}

async function read(option: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new TlsFileError('tls_unreadable', `${option} ${file}`, cause);
  }
}

function attempt(what: string, use: () => unknown): void {
  try {
    use();
  } catch (cause) {
    throw new TlsFileError('tls_invalid', what, cause);
  }
}
