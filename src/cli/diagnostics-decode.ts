import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readContainer } from '#diagnostics/messages/container.ts';
import { type Sample, samplesOf } from '#diagnostics/messages/samples.ts';
import type { Scalar } from '#diagnostics/messages/types.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { harmless } from './render-text.ts';

const usage = `Usage: ota diagnostics decode [options] FILE...

Shows the values in Avro container files of diagnostics: of this client, of the prototype, or of any writer with the same
messages. A damaged file gives everything before the damage; the others are shown all the same, and the exit code is 1.

  FILE   Container file; a directory stands for the .avro and .avro.open files in it and below; "-" for standard input

Options:
  --path PATH  Only this signal, such as Vehicle.Speed, or branch, such as Vehicle.OTA; repeat it for several
  --csv        Lines of signal,time,type,value with a head line, instead of one JSON object per value
  --header     Show the header (message, codec, metadata) of each file instead of its values
  -h, --help   Show this help

Exit codes: 0 shown, 1 failed, 2 called wrongly.
`;

const options = {
  path: { type: 'string', multiple: true },
  csv: { type: 'boolean' },
  header: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length === 0) throw new UsageError('a file is needed');
  if (values.csv === true && values.header === true)
    throw new UsageError('--csv and --header exclude each other');
  const paths = values.path ?? [];
  const isWanted = ({ signal }: Sample): boolean =>
    paths.length === 0 || paths.some((path) => signal === path || signal.startsWith(`${path}.`));
  const lineOf = values.csv === true ? csvLine : jsonLine;
  if (values.csv === true) io.stdout.write('signal,time,type,value\n');
  let good = true;
  for (const place of positionals) {
    try {
      for (const file of await filesAt(place)) {
        if (!(await decode(file, io, values.header === true ? undefined : { isWanted, lineOf })))
          good = false;
      }
    } catch (error) {
      good = false;
      tell(io, place, error);
    }
  }
  return good ? exitCodes.ok : exitCodes.failed;
}

interface Wish {
  readonly isWanted: (sample: Sample) => boolean;
  readonly lineOf: (sample: Sample) => string;
}

/** Shows one file as far as it goes, or its header; whether that was to its end. */
async function decode(file: string, io: CliIo, wish: Wish | undefined): Promise<boolean> {
  try {
    const bytes = file === '-' ? await all(io.stdin) : await readFile(file);
    const { header, messages } = readContainer(bytes);
    if (wish === undefined) {
      const { name, codec, metadata } = header;
      io.stdout.write(`${JSON.stringify({ file: nameOf(file), message: name, codec, metadata })}\n`);
      return true;
    }
    for (const message of messages) {
      const lines = [...samplesOf(header.name, message)].filter(wish.isWanted).map(wish.lineOf);
      if (lines.length > 0) io.stdout.write(lines.join(''));
    }
    return true;
  } catch (error) {
    tell(io, file, error);
    return false;
  }
}

function tell(io: CliIo, file: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  io.stderr.write(
    `ota diagnostics decode: ${harmless(`${nameOf(file)} could not be read to its end: ${why}`)}\n`,
  );
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** In the order of their names, which is that of their sequence numbers. Errors: those of the file system. */
async function filesAt(place: string): Promise<readonly string[]> {
  if (place === '-' || !(await stat(place)).isDirectory()) return [place];
  const names = (await readdir(place, { recursive: true })).filter((name) => /\.avro(?:\.open)?$/.test(name));
  return names.toSorted().map((name) => join(place, name));
}

async function all(stream: CliIo['stdin']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

function jsonLine({ signal, ts, value, from }: Sample): string {
  const isArray = Array.isArray(value);
  const line = {
    signal,
    time: timeText(ts),
    type: typeText(value),
    value: isArray ? value.map((item: Scalar) => jsonValue(item)) : jsonValue(value as Scalar),
    from,
  };
  return `${JSON.stringify(line)}\n`;
}

function csvLine({ signal, ts, value }: Sample): string {
  const text = Array.isArray(value)
    ? JSON.stringify(value.map((item: Scalar) => jsonValue(item)))
    : plainText(value as Scalar);
  return `${[signal, timeText(ts) ?? '', typeText(value), text].map(csvField).join(',')}\n`;
}

function typeText(value: Sample['value']): string {
  return Array.isArray(value) ? 'array' : (Object.keys(value)[0] ?? '');
}

/** JSON has no NaN, no infinities and no exact integers beyond 53 bits: those are texts. */
function jsonValue(scalar: Scalar): string | number | boolean {
  const [value = ''] = Object.values(scalar) as (string | number | boolean | bigint)[];
  if (typeof value === 'bigint') {
    return value === BigInt(Number(value)) && Number.isSafeInteger(Number(value))
      ? Number(value)
      : String(value);
  }
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function plainText(scalar: Scalar): string {
  const [value = ''] = Object.values(scalar) as (string | number | boolean | bigint)[];
  return String(value);
}

/** ISO 8601 with microseconds; undefined without a time, the bare number for one beyond the calendar. */
function timeText(ts: bigint | undefined): string | undefined {
  if (ts === undefined) return undefined;
  const micros = ((ts % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const date = new Date(Number((ts - micros) / 1000n));
  if (Number.isNaN(date.getTime())) return String(ts);
  return date.toISOString().replace(/\.000Z$/, `.${String(micros).padStart(6, '0')}Z`);
}

/** @see RFC 4180 */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const diagnosticsDecodeCommand: Command = {
  name: 'diagnostics decode',
  summary: 'Show the values in diagnostics files',
  usage,
  options,
  run,
};
