import { setTimeout as pause } from 'node:timers/promises';
import { syncFilesystem } from '#host/sync-filesystem.ts';

/** Unwritten bytes that are worth a flush of their own. */
const worthBytes = 256 * 1024 * 1024;
const lookMs = 100;

/**
 * Has the kernel write while files are still being placed, so that the flush before the switch finds little left: the
 * disk would otherwise idle until then. Nothing depends on it; whether it fails is of no interest. Ends with `signal`.
 */
export async function flushEarly(
  root: string,
  placedBytes: () => number,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let flushed = 0; ; ) {
      await pause(lookMs, undefined, { signal });
      const placed = placedBytes();
      if (placed - flushed < worthBytes) continue;
      flushed = placed;
      await syncFilesystem(root, signal);
    }
  } catch {
    // Stopped, or no `sync` here: the flush before the switch does it all, and tells.
  }
}
