import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { DriveError } from './drive-error.ts';

/** A value as it is written: texts of a CSV may be of any datatype that they can be read as. */
export type WrittenValue =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'json'; readonly json: unknown };

/** One line of a drive, before the datatype of its signal is known. */
export interface DriveLine {
  /** In milliseconds, from whatever beginning. */
  readonly timeMs: number;
  readonly path: string;
  /** Undefined where the drive does not say it. */
  readonly datatype: VssDatatype | undefined;
  readonly written: WrittenValue;
}

/** Reads one line. Errors: DriveError. */
export type LineReader = (line: string) => DriveLine;

/** What a column or a key of a drive may be called. */
export const names = {
  time: ['time', 'timestamp', 'ts', 't'],
  path: ['path', 'signal', 'name'],
  value: ['value'],
  datatype: ['datatype', 'type'],
} as const;

/** From these sizes on, a number is no time of seconds since 1970, but of milli-, micro-, nanoseconds. */
const units: readonly (readonly [number, number])[] = [
  [1e17, 1e-6],
  [1e14, 1e-3],
  [1e11, 1],
];

/** Seconds since the beginning or since 1970, or a date of ISO 8601; in milliseconds. Errors: DriveError. */
export function timeOf(written: string | number): number {
  const number =
    typeof written === 'number'
      ? written
      : /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(written)
        ? Number(written)
        : undefined;
  if (number !== undefined && Number.isFinite(number)) {
    const factor = units.find(([least]) => Math.abs(number) >= least)?.[1] ?? 1000;
    return number * factor;
  }
  const ms =
    typeof written === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(written) ? Date.parse(written) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new DriveError(`${JSON.stringify(written)} is no time: write seconds, or 2027-01-31T12:00:00.5Z`);
}
