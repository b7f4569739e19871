import { randomUUID } from 'node:crypto';

/** File name of a segment: `<sequence number, ten digits>-<uuid>.avro`, with `.open` behind it while it grows. */
export interface SegmentName {
  readonly sequence: number;
  readonly id: string;
  readonly open: boolean;
}

const pattern = /^(\d{10})-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.avro(\.open)?$/;

/** Undefined for a file that is none of ours. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const [, digits, id, open] = pattern.exec(name) ?? [];
  if (digits === undefined || id === undefined) return undefined;
  return { sequence: Number(digits), id, open: open !== undefined };
}

/** Without the ending of an open one. */
export function segmentFileName(sequence: number, id: string): string {
  return `${String(sequence).padStart(10, '0')}-${id}.avro`;
}

export function newSegmentName(sequence: number): { readonly id: string; readonly name: string } {
  const id = randomUUID();
  return { id, name: segmentFileName(sequence, id) };
}
