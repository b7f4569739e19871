import { createHash, randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/**
 * File name of a segment: `<sequence number, ten digits>-<uuid>.avro`, with `.open` behind it while it grows. Parts of a
 * divided one keep its number and have `.0` or `.1` behind it, once for each division.
 */
export interface SegmentName {
  readonly sequence: number;
  /** Which part of a divided segment: `0` and `1`, and `10` for the first half of the second. */
  readonly part: string;
  readonly id: string;
  readonly open: boolean;
}

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const pattern = new RegExp(`^(\\d{10})(?:\\.([01]{1,64}))?-(${uuid})\\.avro(\\.open)?$`);

/** Undefined for a file that is none of ours. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const [, digits, part = '', id, open] = pattern.exec(name) ?? [];
  if (digits === undefined || id === undefined) return undefined;
  return { sequence: Number(digits), part, id, open: open !== undefined };
}

/** Without the ending of an open one. */
export function segmentFileName({ sequence, part, id }: Omit<SegmentName, 'open'>): string {
  return `${String(sequence).padStart(10, '0')}${part === '' ? '' : `.${part}`}-${id}.avro`;
}

export function newSegmentName(sequence: number): { readonly id: string; readonly name: string } {
  const id = randomUUID();
  return { id, name: segmentFileName({ sequence, part: '', id }) };
}

/** Beside the directories of the priorities, so that these hold nothing but segments. */
export const sumsFolder = 'sums';

/** The file of check sums of a segment, open or sealed. */
export function sumsPath(segmentPath: string): string {
  const name = basename(segmentPath).replace(/\.avro(?:\.open)?$/, '');
  return join(dirname(dirname(segmentPath)), sumsFolder, `${name}.sums`);
}

/** Where the segment is once it is sealed. */
export function sealedPath(openPath: string): string {
  return openPath.slice(0, -'.open'.length);
}

/** An id that is made from another one, and always the same; a UUID of version 8 (RFC 9562: made in a way of our own). */
export function derivedId(id: string, what: string): string {
  const hex = createHash('sha256').update(`${id}/${what}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** In the order in which they were begun. */
export function bySequence(
  a: Pick<SegmentName, 'sequence' | 'part' | 'id'>,
  b: Pick<SegmentName, 'sequence' | 'part' | 'id'>,
): number {
  if (a.sequence !== b.sequence) return a.sequence - b.sequence;
  if (a.part !== b.part) return a.part < b.part ? -1 : 1;
  return a.id < b.id ? -1 : a.id === b.id ? 0 : 1;
}
