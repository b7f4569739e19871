import type { Priority } from './spool/priority.ts';

/** How one source of signals fares. */
export interface SourceStatus {
  /** Such as `kuksa 10.0.0.2:55555`, `update`, `host`, `replay drive.csv`. */
  readonly name: string;
  /** One word: connected, waiting, ended, failed. */
  readonly state: string;
  /** What is wrong, in words; empty when nothing is. */
  readonly problem: string;
  readonly signals: number;
  /** Values that it has delivered. */
  readonly samples: number;
}

/** How one campaign fares. Counts are since the daemon began. */
export interface CampaignStatus {
  readonly id: string;
  /** `active`; `waiting` for its start; `expired`; `broken` when its file was never good. */
  readonly state: 'active' | 'waiting' | 'expired' | 'broken';
  /** What is wrong with its file as it is now; empty when nothing is. */
  readonly problem: string;
  /** Values that were kept. */
  readonly samples: number;
  /** Values that its budget or their datatype did not allow. */
  readonly dropped: number;
  readonly triggered: number;
}

/** What one priority of the spool holds, the open segment included. */
export interface LaneStatus {
  readonly priority: Priority;
  readonly segments: number;
  readonly bytes: number;
}

/** How diagnostics fare. Counts are since the daemon began; sizes are in bytes. */
export interface DiagnosticsStatus {
  readonly sources: readonly SourceStatus[];
  readonly campaigns: readonly CampaignStatus[];
  readonly lanes: readonly LaneStatus[];
  /** Values that a campaign had kept and the disk did not take. */
  readonly droppedSamples: number;
  readonly evictedSegments: number;
  readonly quarantinedSegments: number;
  /** How long the oldest segment has waited, as far as anybody can tell; 0 when there is none. */
  readonly oldestSegmentAgeMs: number;
  /** What children handed over and waits here for its upload. */
  readonly collectedSegments: number;
  readonly collectedBytes: number;
  readonly uploadedSegments: number;
  readonly uploadedBytes: number;
  readonly uploadFailures: number;
  /** What uploads wait for, in words; empty when they do not. */
  readonly uploadWaitingFor: string;
}
