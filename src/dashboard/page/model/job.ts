import { type Category, categoryOf, isBusy } from '#dashboard/page/words/states.ts';
import { timeMs } from '#dashboard/page/words/units.ts';
import { type Ecu, OtaState, type Progress, Reachability } from '#gen/ota/console/v1/types_pb.ts';

/** How the last job ended that this page saw running. */
export type Outcome = 'running' | 'committed' | 'failed' | 'aborted' | 'ended';

/** One update or rollback of one ECU, from when this page first saw it. */
export interface Job {
  readonly kind: 'update' | 'rollback';
  /** What it is told apart by. */
  readonly key: string;
  readonly outcome: Outcome;
  readonly targetVersion: string;
  /** The last that was told; absent for a rollback. */
  readonly progress: Progress | undefined;
  /** Whole percent: never less than before in one job, 100 only when the release is committed. */
  readonly percent: number;
}

/** An ECU as it is shown. */
export interface EcuView {
  readonly ecu: Ecu;
  readonly category: Category;
  readonly job: Job | undefined;
}

/** What is shown of an ECU, from what it tells now and what was shown before. */
export function viewOf(ecu: Ecu, before: EcuView | undefined): EcuView {
  return { ecu, category: categoryOf(ecu.reachability, ecu.state), job: jobOf(ecu, before?.job) };
}

function jobOf(ecu: Ecu, before: Job | undefined): Job | undefined {
  // What a silent ECU told last is no end of anything.
  const isSilent = ecu.reachability !== Reachability.REACHABLE;
  if (isBusy(ecu.state)) return runningJob(ecu, before);
  if (before === undefined || before.outcome !== 'running' || isSilent) return before;
  const outcome = outcomeOf(ecu, before);
  return { ...before, outcome, percent: outcome === 'committed' ? 100 : before.percent };
}

function runningJob({ state, progress, firmwareVersion }: Ecu, before: Job | undefined): Job {
  const kind = state === OtaState.ROLLBACKING ? 'rollback' : 'update';
  const targetVersion = progress?.targetVersion ?? '';
  const key = `${kind} ${targetVersion} ${timeMs(progress?.startTime) ?? ''}`;
  const isSame =
    before?.outcome === 'running' && before.kind === kind && (progress === undefined || before.key === key);
  const told = Math.min(99, progress?.percent ?? 0);
  return {
    kind,
    key: isSame ? before.key : key,
    outcome: 'running',
    targetVersion:
      targetVersion || (isSame ? before.targetVersion : kind === 'rollback' ? '' : firmwareVersion),
    progress: progress ?? (isSame ? before.progress : undefined),
    percent: isSame ? Math.max(before.percent, told) : told,
  };
}

function outcomeOf({ state, firmwareVersion }: Ecu, { kind, targetVersion }: Job): Outcome {
  switch (state) {
    case OtaState.FAILURE:
    case OtaState.ROLLBACK_FAILURE:
      return 'failed';
    case OtaState.ABORTED:
      return 'aborted';
    case OtaState.SUCCESS:
      return kind === 'rollback' || targetVersion === '' || targetVersion === firmwareVersion
        ? 'committed'
        : 'ended';
    default:
      return kind === 'rollback' ? 'committed' : 'ended';
  }
}
