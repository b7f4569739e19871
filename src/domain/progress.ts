import type { ProgressPhase, UpdatePhase } from './phase.ts';

/** How much of one kind of work (copy, link or download) is done. */
export interface WorkDone {
  /** Regular files placed by this kind of work. */
  readonly files: number;
  /** Their uncompressed size in bytes. */
  readonly bytes: number;
  /** Wall-clock milliseconds in which at least one file was being worked on in this way. */
  readonly elapsedMs: number;
}

/**
 * Progress of one update on one ECU. Every regular file of the image counts exactly once, as copied, linked or
 * downloaded; at the end the three add up to `totalFiles` and `totalBytes`.
 */
export interface UpdateProgress {
  readonly targetVersion: string;
  /** Unix time in milliseconds. */
  readonly startedAt: number;
  readonly phase: UpdatePhase;
  readonly step: ProgressPhase;
  /** Regular files of the image. */
  readonly totalFiles: number;
  /** Uncompressed size in bytes of all regular files of the image. */
  readonly totalBytes: number;
  readonly copy: WorkDone;
  readonly link: WorkDone;
  readonly download: WorkDone;
  /** Files that have to be downloaded, as far as is known, and their uncompressed size in bytes. */
  readonly filesToDownload: number;
  readonly bytesToDownload: number;
  /** Bytes received over the network, metadata and failed attempts included. */
  readonly wireBytes: number;
  /** Failed download attempts, those that were retried included. */
  readonly downloadErrors: number;
  /** Entries of the standby slot that the image does not have, and how many are gone. */
  readonly filesToRemove: number;
  readonly filesRemoved: number;
  /** Wall-clock milliseconds since the update was accepted; and of three stretches of it. */
  readonly elapsedMs: number;
  readonly deltaMs: number;
  readonly downloadingMs: number;
  readonly applyingMs: number;
}
