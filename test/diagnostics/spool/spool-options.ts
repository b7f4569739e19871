import { performance } from 'node:perf_hooks';
import type { SpoolOptions } from '#diagnostics/spool/spool.ts';

/** Options that a test changes where it matters. */
export function spoolOptions(directory: string, change: Partial<SpoolOptions> = {}): SpoolOptions {
  return {
    directory,
    quotaBytes: 64 * 1024 * 1024,
    segmentBytes: 64 * 1024,
    segmentAgeMs: 60_000,
    memoryBytes: 64 * 1024,
    metadata: ({ id, sequence }) => ({ 'segment.id': id, 'segment.sequence': String(sequence) }),
    now: () => performance.now(),
    log: { info() {}, warn() {}, error() {} },
    ...change,
  };
}
