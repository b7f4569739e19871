import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import { readContainerHeader } from '#diagnostics/messages/container.ts';
import { MessageError } from '#diagnostics/messages/message-error.ts';
import { readAtMost } from '#host/durable-file.ts';
import type { Priority } from './priority.ts';

/** What a segment's header tells that matters after it was written. */
export interface SegmentOrigin {
  /** When it was begun: milliseconds since 1970, and whether that clock was known to be right. */
  readonly wallMs: number;
  readonly wasSynced: boolean;
  /** When it was begun: milliseconds of the monotonic clock of this boot. */
  readonly bootId: string;
  readonly monotonicMs: number;
  /** It has a new id because the receiver holds something else under the first one. */
  readonly isRenewed: boolean;
}

/** A segment that has its final name and never changes again. */
export interface SpooledSegment {
  readonly id: string;
  readonly sequence: number;
  /** See SegmentName. */
  readonly part: string;
  readonly priority: Priority;
  readonly path: string;
  readonly bytes: number;
  readonly origin: SegmentOrigin;
}

/** What most headers fit into, and more than any of ours takes. */
const headerBytes = [8 * 1024, 256 * 1024];

export function originOf(metadata: Readonly<Record<string, string>>): SegmentOrigin {
  return {
    wallMs: Number(metadata['clock.wall'] ?? 0) / 1000,
    wasSynced: metadata['clock.synced'] === 'true',
    bootId: metadata['boot.id'] ?? '',
    monotonicMs: Number(metadata['clock.monotonic'] ?? 0) / 1000,
    isRenewed: metadata['segment.renewed_from'] !== undefined,
  };
}

/** Undefined when the file has no header that can be read. Errors: those of the file system. */
export async function readMetadata(path: string): Promise<Readonly<Record<string, string>> | undefined> {
  for (const limit of headerBytes) {
    const bytes = await readAtMost(path, limit);
    try {
      return readContainerHeader(bytes ?? Buffer.alloc(0)).metadata;
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
    }
  }
  return undefined;
}

/**
 * Milliseconds since it was begun: by the monotonic clock within this boot, by the wall clock only if that was and is known
 * to be right. Undefined when nobody can tell.
 */
export function ageOf({ origin }: SpooledSegment, clock: VehicleClock): number | undefined {
  if (origin.bootId !== '' && origin.bootId === clock.bootId) return clock.now() - origin.monotonicMs;
  if (!origin.wasSynced || !clock.isSynced()) return undefined;
  return Math.max(0, clock.wallMs() - origin.wallMs);
}
