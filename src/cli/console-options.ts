import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConsoleAddress, ConsoleClient } from '#api/console-client.ts';
import { loadConfig } from '#config/load.ts';
import { authority } from '#domain/ecu.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import { readSource } from './read-source.ts';
import { harmless } from './render-text.ts';
import type { HostPort } from './vehicle-options.ts';

/** Options of every command that asks a console. */
export const consoleOptions = {
  console: { type: 'string' },
  'token-file': { type: 'string' },
  'ca-file': { type: 'string' },
  'cert-file': { type: 'string' },
  'key-file': { type: 'string' },
} as const;

export type ConsoleValues = { readonly [Name in keyof typeof consoleOptions]?: string | undefined };

const urlVariable = 'OTA_CONSOLE_URL';
const tokenVariable = 'OTA_CONSOLE_TOKEN';

/** What help says about them. */
export const consoleUsage = `  --console URL        Console to ask (default $${urlVariable}, or that of this ECU by its configuration)
  --token-file FILE    Token that says who asks; "-" reads stdin. Without it $${tokenVariable} is used, and for
                       this ECU's own console the token that its daemon leaves for its user
  --ca-file FILE       Certificates (PEM) of the authorities that may vouch for the console
  --cert-file FILE     Instead of a token: the caller's certificate (PEM),
  --key-file FILE      and its key (PEM)`;

/** Tokens go into a header: nothing else is one. */
const tokenShape = /^[\x21-\x7e]{8,4096}$/;

/** A console as the options name it. */
export interface ConsoleDoor {
  readonly url: string;
  /** Whether the token is read from a file each time: that of a daemon is another one after every start. */
  readonly renewsToken: boolean;
  /** The daemon whose console it is, where it is that of this ECU by its configuration. */
  readonly own: HostPort | undefined;
  /** A client for it, with the token as it is now. Dispose it to let go. */
  open(): Promise<ConsoleClient>;
}

/**
 * The console that the options, the environment or the configuration name. The token that a daemon leaves for its own
 * user goes to that daemon only. Errors: UsageError.
 */
export async function consoleDoor(values: ConsoleValues, io: CliIo): Promise<ConsoleDoor> {
  const { 'cert-file': certFile, 'key-file': keyFile, 'ca-file': caFile } = values;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UsageError('--cert-file and --key-file belong together');
  }
  const named = values.console ?? (io.env[urlVariable] || undefined);
  const own = named === undefined ? await ownConsole(io) : undefined;
  const url = own?.url ?? parseConsoleUrl(named ?? '');
  const token = await givenToken(values['token-file'], io);
  const pem = (file: string | undefined): Promise<string | undefined> =>
    file === undefined ? Promise.resolve(undefined) : readSource(file, io);
  const [ca, cert, key] = [await pem(caFile), await pem(certFile), await pem(keyFile)];
  const isLocal = token === undefined && cert === undefined && own !== undefined;
  const tokenFile = values['token-file'];
  return {
    url,
    renewsToken: isLocal || (tokenFile !== undefined && tokenFile !== '-'),
    own: own?.daemon,
    open: async () => {
      const given = tokenFile === '-' ? token : await givenToken(tokenFile, io);
      const shown = isLocal ? await localToken(own.tokenFile) : given;
      return await connect({ url, token: shown, ca, pinned: own?.pinned, cert, key });
    },
  };
}

/** Loads Connect only now: help and mistakes are told without it. */
async function connect(address: ConsoleAddress): Promise<ConsoleClient> {
  const { ConsoleClient } = await import('#api/console-client.ts');
  return new ConsoleClient(address);
}

/** `http://HOST:PORT` of a console. Errors: UsageError. */
function parseConsoleUrl(text: string): string {
  const url = URL.parse(text);
  const plain = url !== null && ['http:', 'https:'].includes(url.protocol);
  if (!plain || url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new UsageError(
      `"${harmless(text)}" is no URL of a console; examples: http://127.0.0.1:8081, https://main-ecu:8081`,
    );
  }
  return url.origin;
}

/** The token that the caller names. Errors: UsageError; none quotes it. */
async function givenToken(file: string | undefined, io: CliIo): Promise<string | undefined> {
  const text = (file === undefined ? (io.env[tokenVariable] ?? '') : await readSource(file, io)).trim();
  if (text === '' && file === undefined) return undefined;
  if (tokenShape.test(text)) return text;
  const where = file === undefined ? `$${tokenVariable}` : file === '-' ? 'stdin' : file;
  throw new UsageError(`${where} holds no token: expected one line of 8 to 4096 characters without spaces`);
}

interface OwnConsole {
  readonly url: string;
  readonly tokenFile: string;
  /** Its very certificate, when it speaks TLS. */
  readonly pinned: string | undefined;
  readonly daemon: HostPort;
}

/** The console of the daemon on this machine, and where it leaves a token for its own user. Errors: UsageError. */
async function ownConsole(io: CliIo): Promise<OwnConsole> {
  const { options, listen, files } = await loadConfig({ env: io.env, cwd: process.cwd() });
  const { enabled, host, port, certificateFile } = options.console;
  if (!enabled) {
    throw new UsageError(
      `${files.options ?? 'the configuration'} switches the console of this ECU off (console.enabled); name one with --console`,
    );
  }
  return {
    url: `${certificateFile === undefined ? 'http' : 'https'}://${authority(reachable({ host, port }))}`,
    tokenFile: join(options.state.directory, 'console', 'local-token'),
    pinned: certificateFile === undefined ? undefined : await readSource(certificateFile, io),
    daemon: reachable(listen),
  };
}

const everyAddress = ['0.0.0.0', '::'];

/** A daemon that listens on every address is reached on this machine's own. */
function reachable({ host, port }: HostPort): HostPort {
  return { host: everyAddress.includes(host) ? '127.0.0.1' : host, port };
}

/** Another user's daemon keeps its token for itself: then there is none, and the console says what to do. */
async function localToken(file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    return tokenShape.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
