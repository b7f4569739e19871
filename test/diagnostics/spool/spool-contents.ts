import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readContainer } from '#diagnostics/messages/container.ts';
import { samplesOf } from '#diagnostics/messages/samples.ts';
import type { Message } from '#diagnostics/messages/types.ts';
import type { SpooledSegment } from '#diagnostics/spool/segment.ts';
import { bySequence } from '#diagnostics/spool/segment-name.ts';
import type { Shelf } from '#diagnostics/spool/shelf.ts';
import type { Spool } from '#diagnostics/spool/spool.ts';

/** A message that bears a number, and so much more. */
export function message(n: number, padding = ''): Message {
  const value = { item: padding === '' ? { int: n } : { string: padding } };
  return { item: { SpecifiedTimeStampedRecord: { signal_identifier: `S${n}`, ts: BigInt(n), value } } };
}

/** Text that does not compress much. */
export function noise(length: number): string {
  return randomBytes(length).toString('base64').slice(0, length);
}

export function shelfOf(spool: Spool): Shelf {
  assert.ok(spool.shelf !== undefined, 'the spool is not open');
  return spool.shelf;
}

/** Sealed segments in the order in which they will be sent. */
export function sealedIn(spool: Spool): readonly SpooledSegment[] {
  return shelfOf(spool).segments();
}

/** The numbers of the messages of one container file, in its order. */
export function numbersOf(bytes: Buffer): number[] {
  const { header, messages } = readContainer(bytes);
  const numbers: number[] = [];
  for (const one of messages) {
    for (const { signal } of samplesOf(header.name, one)) numbers.push(Number(signal.slice(1)));
  }
  return numbers;
}

/** Numbers of the messages in all sealed segments of a spool, in the order of the segments' sequence numbers. */
export async function numbersIn(spool: Spool): Promise<number[]> {
  const numbers: number[] = [];
  // A damaged one is replaced by what is left of it.
  for (const segment of sealedIn(spool)) await shelfOf(spool).read(segment);
  for (const segment of sealedIn(spool).toSorted(bySequence)) {
    const read = await shelfOf(spool).read(segment);
    if (read === undefined) continue;
    assert.equal(readContainer(read.bytes).header.metadata['segment.id'], segment.id);
    numbers.push(...numbersOf(read.bytes));
  }
  return numbers;
}
