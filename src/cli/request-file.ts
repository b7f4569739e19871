import type { UpdateRequestEntry } from '#domain/release.ts';
import { UsageError } from './command.ts';
import { isCookies } from './cookies.ts';

const wireKeys = [
  'ecu_id',
  'version',
  'url',
  'cookies',
  'release_name',
  'release_id',
  'image_id',
  'force',
] as const;
type WireKey = (typeof wireKeys)[number];

/** A vehicle has tens of ECUs; a file with more entries than this is not a request. */
const maxEntries = 1000;

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWireKey(key: string): key is WireKey {
  return wireKeys.some((known) => known === key);
}

/** Cookies may be written as text that is JSON, as on the wire, or as a mapping. */
function cookiesText(value: unknown, place: string): string {
  const text = isMapping(value) ? JSON.stringify(value) : value;
  if (typeof text !== 'string' || (text !== '' && !isCookies(text))) {
    throw new UsageError(`${place}: cookies: expected a mapping of text values, or the same as JSON text`);
  }
  return text;
}

function entryFrom(value: unknown, place: string): UpdateRequestEntry {
  if (!isMapping(value)) throw new UsageError(`${place}: expected a mapping with ecu_id, version and url`);
  const fields: Record<WireKey, string> = {
    ecu_id: '',
    version: '',
    url: '',
    cookies: '',
    release_name: '',
    release_id: '',
    image_id: '',
    force: 'false',
  };
  for (const [key, field] of Object.entries(value)) {
    if (!isWireKey(key)) {
      throw new UsageError(`${place}: unknown key "${key}"; known are ${wireKeys.join(', ')}`);
    }
    if (field === null) continue;
    if (key === 'cookies') fields.cookies = cookiesText(field, place);
    else if (typeof field === 'string') fields[key] = field;
    else throw new UsageError(`${place}: ${key}: expected text`);
  }
  for (const key of ['ecu_id', 'version', 'url'] as const) {
    if (fields[key] === '') throw new UsageError(`${place}: ${key} is missing`);
  }
  if (fields.force !== 'true' && fields.force !== 'false') {
    throw new UsageError(`${place}: force: expected true or false`);
  }
  return {
    ecuId: fields.ecu_id,
    version: fields.version,
    url: fields.url,
    cookies: fields.cookies,
    releaseName: fields.release_name,
    releaseId: fields.release_id,
    imageId: fields.image_id,
    force: fields.force === 'true',
  };
}

/**
 * The entries of an update request in YAML or JSON: a list of mappings with the field names of the wire, as existing
 * tools have it, or a mapping with that list under `ecu`. Errors: UsageError naming file, entry and key.
 */
export async function parseRequestFile(text: string, file: string): Promise<UpdateRequestEntry[]> {
  const { parse, YAMLParseError } = await import('yaml');
  let parsed: unknown;
  try {
    // Every scalar is text: a version written 1.10 must not become the number 1.1.
    parsed = parse(text, {
      schema: 'failsafe',
      customTags: ['null'],
      maxAliasCount: 100,
      prettyErrors: false,
    });
  } catch (error) {
    // The pretty form of the error quotes the file, and with it perhaps the cookies.
    const at = error instanceof YAMLParseError ? ` at character ${error.pos[0]}: ${error.code}` : '';
    throw new UsageError(`${file}: is no valid YAML or JSON${at}`);
  }
  const list = isMapping(parsed) ? parsed['ecu'] : parsed;
  if (!Array.isArray(list) || list.length === 0) {
    throw new UsageError(`${file}: expected a list of {ecu_id, version, url, cookies}`);
  }
  if (list.length > maxEntries) throw new UsageError(`${file}: more than ${maxEntries} entries`);
  const entries = list.map((value: unknown, index) => entryFrom(value, `${file}: entry ${index + 1}`));
  const twice = entries.find((entry, index) => entries.findIndex((one) => one.ecuId === entry.ecuId) < index);
  if (twice !== undefined) throw new UsageError(`${file}: ECU "${twice.ecuId}" is named twice`);
  return entries;
}
