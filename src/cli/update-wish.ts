import type { UpdateRequestEntry } from '#domain/release.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';
import { readCookies } from './cookies.ts';
import { readSource } from './read-source.ts';
import { parseRequestFile } from './request-file.ts';

/** Options that say what an update is to bring to whom; `ota plan` takes the same. */
export const wishOptions = {
  ecu: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  version: { type: 'string' },
  url: { type: 'string' },
  'cookies-file': { type: 'string' },
  request: { type: 'string' },
  force: { type: 'boolean' },
} as const;

interface WishValues {
  readonly all?: boolean;
  readonly version?: string;
  readonly url?: string;
  readonly 'cookies-file'?: string;
  readonly request?: string;
  readonly force?: boolean;
}

/** What a request asks for, before it is known which ECUs "all" are. */
export type Wish =
  | { readonly kind: 'entries'; readonly entries: readonly UpdateRequestEntry[] }
  | { readonly kind: 'all'; readonly release: Omit<UpdateRequestEntry, 'ecuId'> };

async function wishFromFile(
  file: string,
  values: WishValues,
  ecuIds: readonly string[],
  io: CliIo,
): Promise<Wish> {
  const others = ['version', 'url', 'all'] as const;
  const other = others.find((name) => values[name] !== undefined) ?? (ecuIds.length > 0 ? 'ecu' : undefined);
  if (other !== undefined) throw new UsageError(`--request and --${other} exclude each other`);
  if (file === '-' && values['cookies-file'] === '-') {
    throw new UsageError('--request and --cookies-file cannot both read stdin');
  }
  const cookies = await readCookies(values['cookies-file'], io);
  const entries = await parseRequestFile(await readSource(file, io), file === '-' ? 'stdin' : file);
  return {
    kind: 'entries',
    entries: entries.map((entry) => ({
      ...entry,
      cookies: entry.cookies === '' ? cookies : entry.cookies,
      force: values.force === true || entry.force === true,
    })),
  };
}

async function wishFromOptions(values: WishValues, ecuIds: readonly string[], io: CliIo): Promise<Wish> {
  const { version = '', url = '' } = values;
  if (values.all === true && ecuIds.length > 0) throw new UsageError('--all and --ecu exclude each other');
  if (values.all !== true && ecuIds.length === 0)
    throw new UsageError('name the ECUs with --ecu, or use --all');
  if (version === '') throw new UsageError('--version is missing');
  if (!['http:', 'https:'].includes(URL.parse(url)?.protocol ?? '')) {
    throw new UsageError(url === '' ? '--url is missing' : `--url "${url}" is no http or https URL`);
  }
  const cookies = await readCookies(values['cookies-file'], io);
  const force = values.force === true;
  const release = { version, url, cookies, releaseName: '', releaseId: '', imageId: '', force };
  if (values.all === true) return { kind: 'all', release };
  return { kind: 'entries', entries: ecuIds.map((ecuId) => ({ ecuId, ...release })) };
}

/** What the options ask for. Errors: UsageError. */
export async function updateWish(values: WishValues, ecuIds: readonly string[], io: CliIo): Promise<Wish> {
  return values.request === undefined
    ? await wishFromOptions(values, ecuIds, io)
    : await wishFromFile(values.request, values, ecuIds, io);
}
