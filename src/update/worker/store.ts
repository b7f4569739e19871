import { hash } from 'node:crypto';
import { closeSync, openSync, renameSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import type { SharedState } from '#update/shared-state.ts';
import { bufferBytes, countPlaced, placeBytes, placeFile, placesOf } from './place.ts';
import type { SlotWriter } from './slot-writer.ts';

/** Places content that came over the network and fits into memory. */
export interface StoreJob {
  readonly kind: 'store';
  readonly resource: number;
  /** As it came over the wire. */
  readonly bytes: Uint8Array;
  readonly encoding: 'identity' | 'zstd';
  /** What came over the wire in an earlier run counts as copied. */
  readonly countAs: 'copy' | 'download';
}

/** Places content that was streamed to a file of the standby file system and verified on its way. */
export interface StoreFileJob {
  readonly kind: 'store-file';
  readonly resource: number;
  readonly path: string;
}

/** `bad`: the content is not what the image promises. `known`: it was found locally in the meantime. */
export type StoreResult = 'placed' | 'bad' | 'known';

/** The most that a compressed file may grow to in memory when the image does not tell its size. */
const unknownSizeCap = 64 * 1024 * 1024;

export function store(state: SharedState, writer: SlotWriter, job: StoreJob): StoreResult {
  const size = state.table.resourceSize(job.resource);
  let content: Uint8Array = job.bytes;
  if (job.encoding === 'zstd') {
    try {
      // One byte more than promised is enough to see that it is not the promised content.
      content = zstdDecompressSync(job.bytes, { maxOutputLength: size < 0 ? unknownSizeCap : size + 1 });
    } catch {
      return 'bad';
    }
  }
  if (state.table.findDigest(hash('sha256', content, 'buffer')) !== job.resource) return 'bad';
  return claimed(state, job.resource, () => {
    placeBytes(state, writer, job.resource, content, job.countAs);
  });
}

export function storeFile(state: SharedState, writer: SlotWriter, job: StoreFileJob): StoreResult {
  return claimed(state, job.resource, () => {
    const [first, ...others] = placesOf(state, job.resource);
    if (first === undefined) return;
    renameSync(job.path, writer.pathOf(first));
    writer.adopt(first);
    countPlaced(state, first, 'download', state.table.resourceSize(job.resource));
    if (others.length === 0) return;
    const source = openSync(writer.pathOf(first), 'r');
    try {
      const digest = placeFile(state, writer, job.resource, source, Buffer.allocUnsafe(bufferBytes), {
        places: others,
        inSlot: writer.pathOf(first),
      });
      if (digest !== undefined && state.table.findDigest(digest) !== job.resource) {
        throw new Error(`content of ${writer.pathOf(first)} changed while it was copied`);
      }
    } finally {
      closeSync(source);
    }
  });
}

function claimed(state: SharedState, resource: number, place: () => void): StoreResult {
  if (!state.claim(resource)) return 'known';
  let good = false;
  try {
    place();
    good = true;
  } finally {
    state.finish(resource, good);
  }
  return 'placed';
}
