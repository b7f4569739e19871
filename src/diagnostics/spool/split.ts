import { createHash } from 'node:crypto';
import {
  readContainerBlock,
  readContainerHeader,
  writeContainerHeader,
} from '#diagnostics/messages/container.ts';

/** The ids of the two halves of a segment: always the same for the same segment. */
export function halfIds(id: string): readonly [string, string] {
  return [halfId(id, 'first'), halfId(id, 'second')];
}

/** In the form of a UUID of version 8 (RFC 9562: made in a way of our own). */
function halfId(id: string, half: string): string {
  const hex = createHash('sha256').update(`${id}/${half}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Two container files that hold the blocks of one, in order. Undefined when it has only one block. Errors: MessageError
 * when it is damaged.
 */
export function splitSegment(id: string, bytes: Buffer): readonly [Buffer, Buffer] | undefined {
  const header = readContainerHeader(bytes);
  const ends = [header.end];
  for (;;) {
    const block = readContainerBlock(bytes, ends.at(-1) ?? 0, header);
    if (block === undefined) break;
    ends.push(block.end);
  }
  const blocks = ends.length - 1;
  if (blocks < 2) return undefined;
  // Where half of the bytes are reached, but never before the first block or behind the last but one.
  const middle = (header.end + bytes.length) / 2;
  const found = ends.findIndex((end) => end >= middle);
  const cut = ends[Math.min(Math.max(1, found), blocks - 1)] ?? header.end;
  const [first, second] = halfIds(id);
  const head = (half: string): Buffer =>
    writeContainerHeader({
      ...header,
      metadata: { ...header.metadata, 'segment.id': half, 'segment.part_of': id },
    });
  return [
    Buffer.concat([head(first), bytes.subarray(header.end, cut)]),
    Buffer.concat([head(second), bytes.subarray(cut)]),
  ];
}
