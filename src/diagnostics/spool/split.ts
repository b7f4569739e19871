import { checkDatum } from '#diagnostics/messages/check-datum.ts';
import { decodeMessage, encodeMessage } from '#diagnostics/messages/codec.ts';
import {
  type ContainerHeader,
  readContainerBlock,
  readContainerHeader,
  writeContainerBlock,
} from '#diagnostics/messages/container.ts';
import { schemas } from '#diagnostics/messages/schemas.ts';
import type { Message } from '#diagnostics/messages/types.ts';
import { headerWith } from './rewrite.ts';
import { derivedId } from './segment-name.ts';

/** The ids of the two halves of a segment: always the same for the same segment. */
export function halfIds(id: string): readonly [string, string] {
  return [derivedId(id, 'first'), derivedId(id, 'second')];
}

type Halves = readonly [Buffer, Buffer];

/**
 * Two container files that hold what one held, in order: its blocks; the messages of its only block; the values of its only
 * message. Undefined when it has only one value. Errors: MessageError when it is damaged.
 */
export function splitSegment(id: string, bytes: Buffer): Halves | undefined {
  const header = readContainerHeader(bytes);
  const ends = [header.end];
  let only: { readonly count: number; readonly data: Buffer } | undefined;
  for (;;) {
    const block = readContainerBlock(bytes, ends.at(-1) ?? 0, header);
    if (block === undefined) break;
    only = block;
    ends.push(block.end);
  }
  const [first, second] = halfIds(id);
  const halves = ends.length > 2 ? cutBetween(bytes, ends) : only && splitBlock(only, header);
  if (halves === undefined) return undefined;
  const head = (half: string): Buffer => headerWith(header, { 'segment.id': half, 'segment.part_of': id });
  return [Buffer.concat([head(first), halves[0]]), Buffer.concat([head(second), halves[1]])];
}

/** Where half of the bytes are reached, but never before the first block or behind the last but one. */
function cutBetween(bytes: Buffer, ends: readonly number[]): Halves {
  const [start = 0] = ends;
  const middle = (start + bytes.length) / 2;
  const found = ends.findIndex((end) => end >= middle);
  const cut = ends[Math.min(Math.max(1, found), ends.length - 2)] ?? start;
  return [bytes.subarray(start, cut), bytes.subarray(cut)];
}

function splitBlock(
  { count, data }: { readonly count: number; readonly data: Buffer },
  header: ContainerHeader,
): Halves | undefined {
  const datums: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = checkDatum(schemas[header.name], data, at);
    datums.push(data.subarray(at, end));
    at = end;
  }
  const parts = halve(datums) ?? splitDatum(datums[0], header.name);
  return parts && [writeContainerBlock(parts[0], header), writeContainerBlock(parts[1], header)];
}

function splitDatum(
  datum: Buffer | undefined,
  name: ContainerHeader['name'],
): readonly [Buffer[], Buffer[]] | undefined {
  if (datum === undefined || name !== 'MessageSequence') return undefined;
  const { seq } = decodeMessage(name, datum);
  const [only] = seq;
  const parts = halve(seq) ?? (only && splitMessage(only));
  const encode = (messages: readonly Message[]): Buffer[] => [encodeMessage(name, { seq: messages })];
  return parts && [encode(parts[0]), encode(parts[1])];
}

/** Both halves of a Snapshot have the period of the whole. */
function splitMessage({ item }: Message): readonly [Message[], Message[]] | undefined {
  if ('TimeSeries' in item) {
    const parts = halve(item.TimeSeries.items);
    return (
      parts &&
      pair(parts, (items) => ({ item: { TimeSeries: { ...item.TimeSeries, count: items.length, items } } }))
    );
  }
  if ('Snapshot' in item) {
    const parts = halve(item.Snapshot.values);
    return (
      parts &&
      pair(parts, (values) => ({ item: { Snapshot: { ...item.Snapshot, count: values.length, values } } }))
    );
  }
  return undefined;
}

function pair<T>(parts: readonly [T[], T[]], make: (part: T[]) => Message): readonly [Message[], Message[]] {
  return [[make(parts[0])], [make(parts[1])]];
}

/** Undefined when there is nothing to divide. */
function halve<T>(items: readonly T[]): readonly [T[], T[]] | undefined {
  if (items.length < 2) return undefined;
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}
