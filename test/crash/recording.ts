import type { Cut } from './cuts.ts';
import type { Promised } from './verdict.ts';
import type { LogEntry } from './write-log.ts';

/** What is known of a release: how its tree looks as a whole, and what is booted with it. */
export interface KnownRelease {
  readonly version: string;
  readonly manifest: readonly string[];
  /** Hashes of kernel and initrd, as `GrubBoot` has them. */
  readonly kernels: string;
}

/** Everything that one story left behind; can be handed to a thread. */
export interface Recording {
  /** The log's bytes, in shared memory. */
  readonly log: Buffer;
  readonly entries: readonly LogEntry[];
  /** Position at which the story begins; what is before it made the disk. */
  readonly start: number;
  /** In the order of their positions. */
  readonly promises: readonly Promised[];
  readonly releases: readonly KnownRelease[];
  /** Paths in slots that no release has: lost+found, the daemon's state. */
  readonly except: readonly string[];
}

/** What holds for a cut. */
export function promisedAt({ promises }: Pick<Recording, 'promises'>, { at, promise }: Cut): Promised {
  const latest = promise === undefined ? promises.findLast(({ from }) => from <= at) : promises[promise];
  if (latest === undefined) throw new Error(`nothing was promised at ${at}`);
  return latest;
}
