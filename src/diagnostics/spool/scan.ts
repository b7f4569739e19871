import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '#domain/log.ts';
import { makeDirectoryDurably, removeDurably, sweepTemporaries } from '#host/durable-file.ts';
import type { SealedSegment } from './lane.ts';
import { type Priority, priorities } from './priority.ts';
import { recoverSegment } from './recover.ts';
import { parseSegmentName } from './segment-name.ts';
import { halfIds } from './split.ts';

/** A sealed segment with its priority. */
export interface SpooledSegment extends SealedSegment {
  readonly priority: Priority;
}

export interface SpoolContents {
  /** All sealed, in the order of their sequence numbers. */
  readonly segments: readonly SpooledSegment[];
  /** Highest sequence number on disk; 0 when there is none. */
  readonly highest: number;
  /** Segments that had been left open and were kept. */
  readonly recovered: number;
}

/** Makes a spool's directories and mends what the last life left half done. Errors: those of the file system. */
export async function scanSpool(directory: string, log: Log): Promise<SpoolContents> {
  await makeDirectoryDurably(directory, 0o700);
  await sweepTemporaries(directory);
  let highest = 0;
  const found: SpooledSegment[] = [];
  let recovered = 0;
  for (const priority of priorities) {
    const lane = join(directory, priority);
    await makeDirectoryDurably(lane, 0o700);
    await sweepTemporaries(lane);
    for (const name of await readdir(lane)) {
      const parsed = parseSegmentName(name);
      if (parsed === undefined) continue;
      highest = Math.max(highest, parsed.sequence);
      let path = join(lane, name);
      if (parsed.open) {
        const { blocks, cut } = await recoverSegment(path);
        log.info({ segment: parsed.id, blocks, cut }, 'recovered a segment that was left open');
        if (blocks === 0) continue;
        recovered++;
        path = path.slice(0, -'.open'.length);
      }
      const { id, sequence } = parsed;
      found.push({ id, sequence, priority, path, bytes: (await stat(path)).size });
    }
  }
  for (const segment of found.slice()) await mendSplit(segment, found);
  return { segments: found.toSorted((a, b) => a.sequence - b.sequence), highest, recovered };
}

/** A split that was cut off: with both halves there the whole goes, else the half. */
async function mendSplit(segment: SpooledSegment, found: SpooledSegment[]): Promise<void> {
  const ids = halfIds(segment.id);
  const halves = found.filter(({ id }) => ids.includes(id));
  const surplus = halves.length === ids.length ? [segment] : halves;
  for (const one of surplus) {
    await removeDurably(one.path);
    found.splice(found.indexOf(one), 1);
  }
}
