import { OtaState, Reachability, UpdatePhase } from '#gen/ota/console/v1/types_pb.ts';

/** What one look has to tell. */
export type Category = 'ok' | 'updating' | 'failed' | 'silent';

export const categories: readonly Category[] = ['ok', 'updating', 'failed', 'silent'];

export function stateText(state: OtaState): string {
  switch (state) {
    case OtaState.INITIALIZED:
      return 'Ready';
    case OtaState.SUCCESS:
      return 'Committed';
    case OtaState.FAILURE:
      return 'Update failed';
    case OtaState.UPDATING:
      return 'Updating';
    case OtaState.ROLLBACKING:
      return 'Rolling back';
    case OtaState.ROLLBACK_FAILURE:
      return 'Rollback failed';
    case OtaState.CLIENT_UPDATING:
      return 'Updating its client';
    case OtaState.ABORTING:
      return 'Aborting';
    case OtaState.ABORTED:
      return 'Aborted';
    default:
      return 'Not known';
  }
}

export function categoryOf(reachability: Reachability, state: OtaState): Category {
  if (reachability === Reachability.SILENT || reachability === Reachability.NEVER_SEEN) return 'silent';
  if (state === OtaState.FAILURE || state === OtaState.ROLLBACK_FAILURE) return 'failed';
  return isBusy(state) ? 'updating' : 'ok';
}

export function isBusy(state: OtaState): boolean {
  return (
    state === OtaState.UPDATING ||
    state === OtaState.ROLLBACKING ||
    state === OtaState.CLIENT_UPDATING ||
    state === OtaState.ABORTING
  );
}

export interface PhaseWords {
  readonly phase: UpdatePhase;
  /** Its name. */
  readonly short: string;
  /** What the ECU does then, in the room that a line of the tree has. */
  readonly doing: string;
  readonly long: string;
}

/** In their order. */
export const phases: readonly PhaseWords[] = [
  { phase: UpdatePhase.INITIALIZING, short: 'Prepare', doing: 'Preparing', long: 'Getting ready' },
  {
    phase: UpdatePhase.PROCESSING_METADATA,
    short: 'Verify',
    doing: 'Verifying',
    long: 'Verifying the image',
  },
  {
    phase: UpdatePhase.CALCULATING_DELTA,
    short: 'Compare',
    doing: 'Comparing',
    long: 'Comparing with what is there',
  },
  {
    phase: UpdatePhase.DOWNLOADING_OTA_FILES,
    short: 'Download',
    doing: 'Downloading',
    long: 'Downloading what is missing',
  },
  {
    phase: UpdatePhase.APPLYING_UPDATE,
    short: 'Place',
    doing: 'Placing files',
    long: 'Placing files in the standby slot',
  },
  {
    phase: UpdatePhase.PROCESSING_POSTUPDATE,
    short: 'Persist',
    doing: 'Persisting',
    long: 'Carrying over persistent files',
  },
  {
    phase: UpdatePhase.FINALIZING_UPDATE,
    short: 'First boot',
    doing: 'First boot',
    long: 'Booting and judging the release',
  },
];

export function phaseText(phase: UpdatePhase): string {
  if (phase === UpdatePhase.DOWNLOADING_OTA_CLIENT) return 'Downloading a newer client';
  return phases.find((known) => known.phase === phase)?.long ?? 'Starting';
}

export function phaseDoing(phase: UpdatePhase): string {
  return phases.find((known) => known.phase === phase)?.doing ?? phaseText(phase);
}

export function phaseShort(phase: UpdatePhase): string {
  return phases.find((known) => known.phase === phase)?.short ?? 'Client';
}
