import { createReadStream } from 'node:fs';
import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';
import { DriveError } from './drive-error.ts';
import type { LineReader } from './drive-line.ts';
import { csvDrive } from './line-csv.ts';
import { jsonDrive } from './line-json.ts';
import { typedValue } from './typed-value.ts';

/** One value of a recorded drive. */
export interface DriveSample {
  /** Since the first one, in milliseconds. */
  readonly atMs: number;
  readonly path: string;
  readonly datatype: VssDatatype;
  readonly value: VssValue;
}

export type KnownDatatypes = (path: string) => VssDatatype | undefined;

const maxLineLength = 1024 * 1024;
/** VSS names, not only those of the standard catalog. */
const pathPattern = /^[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)+$/;

/**
 * A recorded drive, CSV or JSON lines, value by value. `datatypeOf` is asked for signals whose datatype the drive does not
 * say; where nobody knows it, it is guessed from the first value. Empty lines and those with `#` are passed over.
 * Errors: DriveError, with file and line.
 */
export async function* readDrive(file: string, datatypeOf: KnownDatatypes): AsyncGenerator<DriveSample> {
  const drive = new DriveReader(datatypeOf);
  let number = 0;
  let isEmpty = true;
  try {
    for await (const lines of linesOf(file)) {
      for (const line of lines) {
        number++;
        const sample = drive.read(number === 1 ? line.replace(/^\uFEFF/, '') : line);
        if (sample === undefined) continue;
        isEmpty = false;
        yield sample;
      }
    }
  } catch (error) {
    if (error instanceof DriveError) throw new DriveError(`${file}, line ${number}: ${error.message}`);
    throw new DriveError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (isEmpty) throw new DriveError(`${file} holds no values`);
}

/** Reads it all. Errors: DriveError for the first line that is wrong. */
export async function checkDrive(
  file: string,
  datatypeOf: KnownDatatypes,
): Promise<{ readonly values: number; readonly signals: number; readonly durationMs: number }> {
  const paths = new Set<string>();
  let values = 0;
  let durationMs = 0;
  for await (const { path, atMs } of readDrive(file, datatypeOf)) {
    paths.add(path);
    values++;
    durationMs = atMs;
  }
  return { values, signals: paths.size, durationMs };
}

class DriveReader {
  readonly #datatypeOf: KnownDatatypes;
  readonly #datatypes = new Map<string, VssDatatype>();
  #reader: LineReader | undefined;
  #first: number | undefined;
  #before = Number.NEGATIVE_INFINITY;

  constructor(datatypeOf: KnownDatatypes) {
    this.#datatypeOf = datatypeOf;
  }

  /** Undefined for a line without a value. Errors: DriveError. */
  read(line: string): DriveSample | undefined {
    if (line.length > maxLineLength) throw new DriveError(`has more than ${maxLineLength} characters`);
    if (line.trim() === '' || line.startsWith('#')) return undefined;
    let reader = this.#reader;
    if (reader === undefined) {
      const csv = line.trimStart().startsWith('{') ? undefined : csvDrive(line);
      reader = csv?.read ?? jsonDrive;
      this.#reader = reader;
      if (csv?.isHeader === true) return undefined;
    }
    const { timeMs, path, datatype: said, written } = reader(line);
    if (!pathPattern.test(path)) {
      const shown = JSON.stringify(path.slice(0, 80));
      throw new DriveError(`${shown} is no path of a signal, such as Vehicle.Speed`);
    }
    if (timeMs < this.#before)
      throw new DriveError('its time is before that of the line above: sort by time');
    this.#before = timeMs;
    this.#first ??= timeMs;
    const { datatype, value } = typedValue(
      written,
      said ?? this.#datatypes.get(path) ?? this.#datatypeOf(path),
    );
    this.#datatypes.set(path, datatype);
    return { atMs: timeMs - this.#first, path, datatype, value };
  }
}

/** All whole lines of each piece that is read. */
async function* linesOf(file: string): AsyncGenerator<readonly string[]> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = (rest + String(chunk)).split(/\r?\n/);
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) {
      yield [...lines, rest];
      return;
    }
    yield lines;
  }
  if (rest !== '') yield [rest];
}
