import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '#domain/log.ts';
import { makeDirectoryDurably, removeDurably, sweepTemporaries } from '#host/durable-file.ts';
import { type Priority, priorities } from './priority.ts';
import type { Quarantine } from './quarantine.ts';
import { examine, recoverSegment, renewSums } from './recover.ts';
import { headerWith } from './rewrite.ts';
import { originOf, readMetadata, type SpooledSegment } from './segment.ts';
import {
  bySequence,
  derivedId,
  parseSegmentName,
  type SegmentName,
  sealedPath,
  segmentFileName,
  sumsFolder,
  sumsPath,
} from './segment-name.ts';
import { halfIds } from './split.ts';
import { readSums, writeSegment } from './sums.ts';

export interface SpoolContents {
  /** All sealed, in the order of their sequence numbers. */
  readonly segments: readonly SpooledSegment[];
  /** Highest sequence number on disk; 0 when there is none. */
  readonly highest: number;
  /** Segments that had been left open and were kept. */
  readonly recovered: number;
}

export interface ScanPlace {
  readonly directory: string;
  readonly quarantine: Quarantine;
  /** Ids of segments that are stored elsewhere. */
  readonly isDone: (id: string) => boolean;
  readonly log: Log;
}

/** Makes a spool's directories and mends what the last life left half done. Errors: those of the file system. */
export async function scanSpool(place: ScanPlace): Promise<SpoolContents> {
  const { directory } = place;
  await makeDirectoryDurably(directory, 0o700);
  await sweepTemporaries(directory);
  await makeDirectoryDurably(join(directory, sumsFolder), 0o700);
  await sweepTemporaries(join(directory, sumsFolder));
  const found: SpooledSegment[] = [];
  let highest = 0;
  let recovered = 0;
  for (const priority of priorities) {
    const lane = join(directory, priority);
    await makeDirectoryDurably(lane, 0o700);
    await sweepTemporaries(lane);
    const names = new Set(await readdir(lane));
    for (const name of names) {
      const parsed = parseSegmentName(name);
      if (parsed === undefined) continue;
      highest = Math.max(highest, parsed.sequence);
      let segment: SpooledSegment | undefined;
      try {
        const isTwin = parsed.open && names.has(name.slice(0, -'.open'.length));
        // A rename leaves one of them: the file system was mended by something else.
        if (isTwin) await place.quarantine.take(join(lane, name), 'a sealed segment of the same name exists');
        else if (parsed.open) segment = await closeSegment(lane, name, parsed, priority, place);
        else segment = await takeSealed(join(lane, name), parsed, priority, place);
      } catch (error) {
        // The others are no worse for it, and the next start looks at it again.
        place.log.error({ err: error, segment: parsed.id }, 'a segment cannot be recovered now');
      }
      if (segment === undefined) continue;
      if (parsed.open) recovered++;
      found.push(segment);
    }
  }
  for (const segment of found.slice()) await finishChange(segment, found, place);
  await removeOrphanedSums(directory);
  const segments = found.toSorted(bySequence);
  return { segments, highest, recovered };
}

async function closeSegment(
  lane: string,
  name: string,
  { id, sequence, part }: SegmentName,
  priority: Priority,
  { quarantine, log }: ScanPlace,
): Promise<SpooledSegment | undefined> {
  const open = join(lane, name);
  const { blocks, cut, lost } = await recoverSegment(open, (bytes) =>
    quarantine.copy(name, bytes, 'blocks of it were damaged'),
  );
  log.info({ segment: id, blocks, cut, lost }, 'recovered a segment that was left open');
  if (blocks === 0) return undefined;
  const path = sealedPath(open);
  const { size: bytes } = await stat(path);
  return { id, sequence, part, priority, path, bytes, origin: originOf((await readMetadata(path)) ?? {}) };
}

/** By its size, if that is the one it was sealed with: its digest is checked when it is read. */
async function takeSealed(
  path: string,
  { id, sequence, part }: SegmentName,
  priority: Priority,
  place: ScanPlace,
): Promise<SpooledSegment | undefined> {
  if (place.isDone(id)) {
    await removeDurably(path);
    await removeDurably(sumsPath(path));
    return undefined;
  }
  const { sealed } = await readSums(path);
  const { size: bytes } = await stat(path);
  const metadata = sealed?.bytes === bytes ? await readMetadata(path) : undefined;
  const segment = { id, sequence, part, priority, path, bytes, origin: originOf(metadata ?? {}) };
  return metadata === undefined ? mendSegment(segment, place) : segment;
}

/**
 * Makes a segment out of what is left of a damaged one, with an id of its own: the receiver may know the first one already.
 * One that is whole keeps its id. Undefined when nothing is left. The damaged file goes to quarantine.
 */
export async function mendSegment(
  segment: SpooledSegment,
  { quarantine, log }: Pick<ScanPlace, 'quarantine' | 'log'>,
): Promise<SpooledSegment | undefined> {
  const { id, path } = segment;
  const found = await readFile(path);
  const { bytes, header, blocks, lost } = examine(found, await readSums(path));
  if (bytes === undefined || header === undefined || blocks === 0) {
    log.error({ segment: id, lost }, 'a segment is damaged beyond repair: put aside');
    await quarantine.take(path, 'no block of it can be read');
    return undefined;
  }
  const origin = originOf(header.metadata);
  if (bytes.length === found.length) {
    await renewSums(path, bytes);
    return { ...segment, bytes: bytes.length, origin };
  }
  const mendedId = derivedId(id, 'mended');
  const mended = Buffer.concat([
    headerWith(header, { 'segment.id': mendedId, 'segment.mended_from': id }),
    bytes.subarray(header.end),
  ]);
  const target = join(dirname(path), segmentFileName({ ...segment, id: mendedId }));
  await writeSegment(target, mended);
  await quarantine.take(path, `damaged: ${blocks} blocks were saved, ${lost} are known to be lost`);
  log.error({ segment: id, mended: mendedId, blocks, lost }, 'a segment was damaged: what is left goes on');
  return { ...segment, id: mendedId, path: target, bytes: mended.length, origin };
}

/** A division or a change of id that was cut off: with all that is new there the old goes, else the new. */
async function finishChange(
  segment: SpooledSegment,
  found: SpooledSegment[],
  { quarantine }: ScanPlace,
): Promise<void> {
  const discard = async (one: SpooledSegment): Promise<void> => {
    await removeDurably(one.path);
    await removeDurably(sumsPath(one.path));
    found.splice(found.indexOf(one), 1);
  };
  const ids = halfIds(segment.id);
  const halves = found.filter(({ id }) => ids.includes(id));
  for (const one of halves.length === ids.length ? [segment] : halves) await discard(one);
  const renewed = derivedId(segment.id, 'again');
  if (found.includes(segment) && found.some(({ id }) => id === renewed)) {
    await quarantine.take(segment.path, 'it goes on under another id');
    found.splice(found.indexOf(segment), 1);
  }
}

async function removeOrphanedSums(directory: string): Promise<void> {
  const names = await Promise.all(priorities.map((priority) => readdir(join(directory, priority))));
  const owners = new Set(names.flat().map((name) => basename(sumsPath(name))));
  const folder = join(directory, sumsFolder);
  for (const name of await readdir(folder)) {
    if (name.endsWith('.sums') && !owners.has(name)) await removeDurably(join(folder, name));
  }
}
