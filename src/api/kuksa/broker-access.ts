import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity as checkIdentity, type PeerCertificate } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { type BrokerAccess, BrokerError, type VssBroker } from '#diagnostics/sources/vss-broker.ts';
import { readAtMost } from '#host/durable-file.ts';
import { type BrokerAddress, BrokerClient } from './broker-client.ts';

/** Options of `diagnostics.kuksa`. */
export interface BrokerAccessOptions {
  readonly address: string;
  readonly tls: boolean;
  readonly caFile?: string | undefined;
  readonly serverName?: string | undefined;
  readonly tokenFile?: string | undefined;
}

const maxTokenBytes = 16 * 1024;
const maxCaBytes = 1024 * 1024;
/** Interval of looking for a new token while the old one is refused. */
const lookMs = 1000;

/** How to get at the databroker that the options name. Its files are read anew for every connection. */
export function brokerAccess(options: BrokerAccessOptions): BrokerAccess {
  const { address, tls, caFile, serverName, tokenFile } = options;
  let used: string | undefined;
  const token = async (): Promise<string | undefined> =>
    tokenFile === undefined ? undefined : tokenFrom(tokenFile);
  const connect = async (): Promise<VssBroker> => {
    // Remembered before it is judged: a broken file is waited for like a refused one.
    used = tokenFile === undefined ? undefined : (await textOf(tokenFile, maxTokenBytes)).text;
    const ca = tls && caFile !== undefined ? await pemFrom(caFile) : undefined;
    try {
      return new BrokerClient({
        authority: address,
        ...(tls ? secured(address, serverName, ca) : { credentials: credentials.createInsecure() }),
        token: await token(),
      });
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      throw new BrokerError('configuration', `no connection can be made to ${address}`, { cause: error });
    }
  };
  const otherCredentials = async (signal: AbortSignal): Promise<void> => {
    if (tokenFile === undefined) {
      await delay(2 ** 30, undefined, { signal, ref: false });
      return;
    }
    while ((await textOf(tokenFile, maxTokenBytes)).text === used) {
      await delay(lookMs, undefined, { signal, ref: false });
    }
  };
  return { address, connect, otherCredentials };
}

/** The host is what the certificate has to name, if not something else. */
function secured(
  address: string,
  serverName: string | undefined,
  ca: Buffer | undefined,
): Pick<BrokerAddress, 'credentials' | 'tlsName'> {
  const host = address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (serverName !== undefined || isIP(host) === 0)
    return { credentials: credentials.createSsl(ca ?? null), tlsName: serverName };
  // RFC 6066, 3: TLS asks for no address by name, and Node refuses to; the certificate is checked for it all the same.
  const checkServerIdentity = (_: string, certificate: PeerCertificate): Error | undefined =>
    checkIdentity(host, certificate);
  return {
    credentials: credentials.createSsl(ca ?? null, null, null, { checkServerIdentity }),
    tlsName: 'databroker.invalid',
  };
}

async function tokenFrom(file: string): Promise<string> {
  const { text, problem } = await textOf(file, maxTokenBytes);
  const wrong =
    problem ?? (/^[\x21-\x7e]+$/.test(text) ? undefined : 'is to hold one token and nothing else');
  if (wrong === undefined) return text;
  throw new BrokerError('configuration', `diagnostics.kuksa.token_file: ${file} ${wrong}`);
}

async function pemFrom(file: string): Promise<Buffer> {
  const { text, problem } = await textOf(file, maxCaBytes);
  const wrong =
    problem ?? (text.includes('-----BEGIN CERTIFICATE-----') ? undefined : 'holds no PEM certificate');
  if (wrong === undefined) return Buffer.from(text);
  throw new BrokerError('configuration', `diagnostics.kuksa.ca_file: ${file} ${wrong}`);
}

async function textOf(
  file: string,
  maxBytes: number,
): Promise<{ readonly text: string; readonly problem?: string }> {
  try {
    const bytes = await readAtMost(file, maxBytes + 1);
    if (bytes === undefined) return { text: '', problem: 'does not exist' };
    if (bytes.length > maxBytes) return { text: '', problem: `has more than ${maxBytes} bytes` };
    return { text: bytes.toString('utf8').trim() };
  } catch (error) {
    return { text: '', problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'failed'})` };
  }
}
