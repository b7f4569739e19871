import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { readContainerBlock, readContainerHeader } from '#diagnostics/messages/container.ts';
import { writeDurably } from '#host/durable-file.ts';
import { sumsPath } from './segment-name.ts';

// Avro's containers and deflate find most flipped bits as little as they look for them. So each segment has a file of its own
// with a line per piece (the header, then each block), `<end> <crc32>`, and once it is sealed `sha256 <hex> <bytes>`. Each
// line ends with its own check, so that what a power cut leaves of this file is told apart from what was written.

/** A piece of a segment: the bytes from the end of the one before it up to `end`. */
export interface Piece {
  readonly end: number;
  readonly crc: number;
}

export interface Sums {
  readonly pieces: readonly Piece[];
  /** Undefined while the segment is open. */
  readonly sealed: { readonly sha256: string; readonly bytes: number } | undefined;
}

export function pieceLine(end: number, bytes: Uint8Array): string {
  return checkedLine(`${end} ${hex(crc32(bytes))}`);
}

export function sealLine(sha256: string, bytes: number): string {
  return checkedLine(`sha256 ${sha256} ${bytes}`);
}

/** Whatever is not one of our lines ends it. */
function parseSums(text: string): Sums {
  const pieces: Piece[] = [];
  let sealed: Sums['sealed'];
  for (const line of text.split('\n')) {
    const cut = line.lastIndexOf(' ');
    const content = line.slice(0, Math.max(0, cut));
    if (cut < 0 || line.slice(cut + 1) !== hex(crc32(content))) break;
    const [first = '', second = '', third = ''] = content.split(' ');
    if (first === 'sha256') sealed = { sha256: second, bytes: Number(third) };
    else pieces.push({ end: Number(first), crc: Number.parseInt(second, 16) });
  }
  return { pieces, sealed };
}

/** Those of a segment; none when there is no such file. Errors: those of the file system. */
export async function readSums(segmentPath: string): Promise<Sums> {
  try {
    return parseSums(await readFile(sumsPath(segmentPath), 'latin1'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return parseSums('');
    throw error;
  }
}

/** The check sums of a whole segment. Errors: MessageError when it is damaged. */
export function sumsOf(bytes: Buffer): string {
  const header = readContainerHeader(bytes);
  const lines = [pieceLine(header.end, bytes.subarray(0, header.end))];
  for (let at = header.end; ; ) {
    const block = readContainerBlock(bytes, at, header);
    if (block === undefined) break;
    lines.push(pieceLine(block.end, bytes.subarray(at, block.end)));
    at = block.end;
  }
  return lines.join('') + sealLine(sha256Of(bytes), bytes.length);
}

/** Stores a whole segment under its final name: check sums first. Errors: MessageError, those of the file system. */
export async function writeSegment(path: string, bytes: Buffer): Promise<void> {
  await writeDurably(sumsPath(path), sumsOf(bytes), 0o600);
  await writeDurably(path, bytes, 0o600);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function matches(piece: Piece, start: number, bytes: Buffer): boolean {
  return piece.end <= bytes.length && crc32(bytes.subarray(start, piece.end)) === piece.crc;
}

function checkedLine(content: string): string {
  return `${content} ${hex(crc32(content))}\n`;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
