import type { EcuView } from '#dashboard/page/model/job.ts';
import { OtaState, Reachability, UpdatePhase } from '#gen/ota/console/v1/types_pb.ts';
import { phaseText, stateText } from './states.ts';

/** What an ECU does, in a few words. */
export function headlineOf({ ecu, category, job }: EcuView): string {
  if (ecu.reachability === Reachability.NEVER_SEEN) return 'Never seen';
  if (category === 'silent') return isBooting({ ecu, category, job }) ? 'Silent, may be booting' : 'Silent';
  if (ecu.waitingFor.length > 0) return 'Waiting';
  if (job?.outcome === 'running' && ecu.state === OtaState.UPDATING) {
    return phaseText(job.progress?.phase ?? UpdatePhase.UNSPECIFIED);
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
