import { DriveError } from './drive-error.ts';
import { type LineReader, names, timeOf } from './drive-line.ts';
import { datatypeOf } from './line-csv.ts';

/** One object a line: `{"time":1.5,"path":"Vehicle.Speed","value":12.5}`. */
export const jsonDrive: LineReader = (line) => {
  let read: unknown;
  try {
    read = JSON.parse(line, exactIntegers);
  } catch (error) {
    throw new DriveError(`is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    throw new DriveError('is no object such as {"time":1.5,"path":"Vehicle.Speed","value":12.5}');
  const object = read as Readonly<Record<string, unknown>>;
  const find = (keys: readonly string[]): readonly [string, unknown] | undefined => {
    const key = keys.find((one) => Object.hasOwn(object, one));
    return key === undefined ? undefined : [key, object[key]];
  };
  const need = (keys: readonly string[]): unknown => {
    const found = find(keys);
    if (found === undefined) throw new DriveError(`has no "${keys[0]}"`);
    return found[1];
  };
  const time = need(names.time);
  const path = need(names.path);
  if (typeof time !== 'string' && typeof time !== 'number' && typeof time !== 'bigint')
    throw new DriveError('"time" is to be a number of seconds or a date');
  if (typeof path !== 'string') throw new DriveError('"path" is to be a text');
  const [key, datatype] = find(names.datatype) ?? [];
  if (datatype !== undefined && typeof datatype !== 'string')
    throw new DriveError(`"${key}" is to be a text`);
  return {
    timeMs: timeOf(typeof time === 'bigint' ? Number(time) : time),
    path,
    datatype: datatypeOf(datatype ?? '', key),
    written: { from: 'json', json: need(names.value) },
  };
};

/** Integers that a number does not hold are taken from the text as they stand there. */
function exactIntegers(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isWide = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isWide && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context?.source ?? '0') : value;
}
