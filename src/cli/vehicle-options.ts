import type { EcuAddress } from '#domain/ecu.ts';
import { authority } from '#domain/ecu.ts';
import type { CliIo } from './command.ts';
import { exitCodes, UsageError } from './command.ts';

/** Exit codes of the commands that talk to a daemon; documented in docs/cli.md. */
export const vehicleExitCodes = {
  ...exitCodes,
  /** No daemon answers. */
  unreachable: 3,
  /** With `--wait`: an ECU that had accepted the request failed. */
  ecuFailed: 4,
  /** With `--wait`: not every ECU ended in time. */
  timedOut: 5,
  /** Kept back by the state of the vehicle only. */
  blocked: 6,
  /** With `--wait`: an ECU came back to its old release by itself. */
  cameBack: 7,
  /** With `--wait`: the job of an ECU was stopped by an abort. */
  aborted: 8,
  /** The console did not let the caller in. */
  notLetIn: 9,
} as const;

export type HostPort = Omit<EcuAddress, 'ecuId'>;

const defaultPort = 50051;
const defaultHost = '127.0.0.1';

/** Options of every command that talks to a daemon. */
export const hostOption = { host: { type: 'string' } } as const;

/** What help says about them. */
export const hostUsage = `  --host HOST[:PORT]   Daemon to ask: main ECU or any other (default $OTA_HOST, or ${defaultHost}:${defaultPort})`;

function parsePort(text: string, whole: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new UsageError(`"${whole}": the port must be a number from 1 to 65535`);
  }
  return port;
}

/** `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. */
export function parseHost(text: string): HostPort {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const [, host = '', port] = bracketed;
    return { host, port: port === undefined ? defaultPort : parsePort(port, text) };
  }
  if (/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(text)) return { host: text, port: defaultPort };
  const [host = '', port, ...more] = text.split(':');
  if (!/^[A-Za-z0-9._-]+$/.test(host) || more.length > 0) {
    throw new UsageError(`"${text}" is no HOST[:PORT]; examples: 10.0.0.1, main-ecu:50051, [fd00::1]:50051`);
  }
  return { host, port: port === undefined ? defaultPort : parsePort(port, text) };
}

/** The daemon that a command talks to. */
export function hostOf(option: string | undefined, io: CliIo): HostPort {
  return parseHost(option ?? (io.env['OTA_HOST'] || defaultHost));
}

/** `host:port` for people. */
export function hostText(host: HostPort): string {
  return authority(host);
}

/** ECU names from `--ecu` (repeated) and from the words that follow it; each once. */
export function ecuIdsOf(options: readonly string[] | undefined, words: readonly string[]): string[] {
  const ids = [...(options ?? []), ...words];
  if (ids.some((id) => id === '')) throw new UsageError('an ECU id is empty');
  return [...new Set(ids)];
}

/** A number of seconds from an option, in milliseconds. */
export function secondsOf(text: string, name: string, least: number): number {
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < least) {
    throw new UsageError(`--${name} "${text}": a number of seconds, at least ${least}`);
  }
  return Math.round(seconds * 1000);
}
