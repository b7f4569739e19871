import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { DaemonOptions } from '#config/options.ts';
import { ConsoleServerError } from './console-server-error.ts';

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities of client certificates; undefined when none are taken. */
  readonly ca: Buffer | undefined;
}

type TlsOptions = Pick<DaemonOptions['console'], 'certificateFile' | 'keyFile' | 'clientCaFile'>;

/** What the options name, read and tried out; undefined when TLS is not configured. Errors: ConsoleServerError. */
export async function readTls({
  certificateFile,
  keyFile,
  clientCaFile,
}: TlsOptions): Promise<TlsMaterial | undefined> {
  if (certificateFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined) {
    const names =
      clientCaFile === undefined
        ? 'console.certificate_file and console.key_file'
        : 'console.client_ca_file, console.certificate_file and console.key_file';
    throw new ConsoleServerError('tls_incomplete', names);
  }
  const cert = await read('console.certificate_file', certificateFile);
  const key = await read('console.key_file', keyFile);
  const ca = clientCaFile === undefined ? undefined : await read('console.client_ca_file', clientCaFile);
  attempt(`console.certificate_file ${certificateFile}`, () => createSecureContext({ cert }));
  attempt(`console.key_file ${keyFile}`, () => createSecureContext({ cert, key }));
  if (ca !== undefined) {
    attempt(`console.client_ca_file ${clientCaFile}`, () => {
      // OpenSSL takes a file without any certificate for an empty list.
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
    throw new ConsoleServerError('tls_unreadable', `${option} ${file}`, { cause });
  }
}

function attempt(what: string, use: () => unknown): void {
  try {
    use();
  } catch (cause) {
    throw new ConsoleServerError('tls_invalid', what, { cause });
  }
}
