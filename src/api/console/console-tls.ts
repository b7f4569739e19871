import type { DaemonOptions } from '#config/options.ts';
import { readTlsMaterial, TlsFileError, type TlsMaterial } from '#host/tls-material.ts';
import { ConsoleServerError } from './console-server-error.ts';

const names = {
  certificate: 'console.certificate_file',
  key: 'console.key_file',
  ca: 'console.client_ca_file',
};

type TlsOptions = Pick<DaemonOptions['console'], 'certificateFile' | 'keyFile' | 'clientCaFile'>;

/** What the options name, read and tried out; undefined when TLS is not configured. Errors: ConsoleServerError. */
export async function readTls({
  certificateFile,
  keyFile,
  clientCaFile,
}: TlsOptions): Promise<TlsMaterial | undefined> {
  if (certificateFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined) {
    const pair = `${names.certificate} and ${names.key}`;
    throw new ConsoleServerError(
      'tls_incomplete',
      clientCaFile === undefined ? pair : `${names.ca}, ${pair}`,
    );
  }
  try {
    return await readTlsMaterial({ certificate: certificateFile, key: keyFile, ca: clientCaFile }, names);
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error;
    throw new ConsoleServerError(error.code, error.what, { cause: error.cause });
  }
}
