import type { EcuView } from '#dashboard/page/model/job.ts';
import { OtaState, Reachability, UpdatePhase } from '#gen/ota/console/v1/types_pb.ts';
import { phaseDoing, phaseText, stateText } from './states.ts';

/** What an ECU does, in a few words; in fewer, where there is one line for it. */
export function headlineOf({ ecu, category, job }: EcuView, isBrief = false): string {
  if (ecu.reachability === Reachability.NEVER_SEEN) return 'Never seen';
  if (category === 'silent') return isBooting({ ecu, category, job }) ? 'May be booting' : 'Silent';
  if (ecu.waitingFor.length > 0) return 'Waiting';
  if (job?.outcome === 'running' && ecu.state === OtaState.UPDATING) {
    const phase = job.progress?.phase ?? UpdatePhase.UNSPECIFIED;
    return isBrief ? phaseDoing(phase) : phaseText(phase);
  }
  return stateText(ecu.state);
}

/** Whether the silence is what has to be expected at the end of an update. */
export function isBooting({ category, job }: EcuView): boolean {
  const phase = job?.progress?.phase;
  return (
    category === 'silent' &&
    job?.outcome === 'running' &&
    (phase === UpdatePhase.PROCESSING_POSTUPDATE || phase === UpdatePhase.FINALIZING_UPDATE)
  );
}
