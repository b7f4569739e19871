import type { UpdateRequestEntry } from '#domain/release.ts';
import type { BlackBox } from '#update/black-box/record.ts';
import type { OwnPlan } from './own-planner.ts';

/** A black box, and whether the release that it tells of is still quarantined. */
export interface JudgedBox {
  readonly box: BlackBox;
  readonly quarantined: boolean;
}

/** What can be found out about the own ECU beyond its status. Changes nothing. */
export interface OwnInspection {
  /** Never rejects but with the signal's reason. */
  plan(entry: UpdateRequestEntry, signal: AbortSignal): Promise<OwnPlan>;
  /** Oldest first. Errors: BootError; those of the file system. */
  blackBoxes(): Promise<readonly JudgedBox[]>;
}
