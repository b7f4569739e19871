import type { EcuStatus } from '#domain/status.ts';
import type { EcuAnswer } from '#ecu/ecu.ts';
import { vehicleExitCodes } from './vehicle-options.ts';

/** Why a request to an ECU came to nothing, as far as scripts have to tell it apart. */
export type Cause =
  /** The ECU said no at once. */
  | 'refused'
  /** The vehicle is in no state for it now: nothing is wrong, and later it may go. */
  | 'vehicle_state'
  /** The job failed, and the ECU runs what it ran before. */
  | 'failed'
  /** The new release was booted and did not hold: the ECU came back to the old one by itself. */
  | 'came_back'
  /** Somebody stopped it. */
  | 'aborted';

// Numbers of the table of failures (docs/operations.md); peers of other makes use the same for the same.
const numbersOf = { vehicle_state: [213], came_back: [211, 212], aborted: [207] } as const;

/** The cause that the number of a failure stands for, where it stands for one. */
export function causeByNumber(reason: string): keyof typeof numbersOf | undefined {
  const number = Number(/^E(\d{3})\b/.exec(reason)?.[1]);
  const causes = ['vehicle_state', 'came_back', 'aborted'] as const;
  return causes.find((cause) => numbersOf[cause].some((one) => one === number));
}

/** Why an ECU did not accept a request; undefined when it did. */
export function causeOfAnswer({ result, message }: EcuAnswer): Cause | undefined {
  if (result === 'NO_FAILURE') return undefined;
  return causeByNumber(message) === 'vehicle_state' ? 'vehicle_state' : 'refused';
}

/** Why a job that ended badly with this status did so. */
export function causeOfEnd({ status, failure }: EcuStatus): Cause {
  if (status === 'ABORTED') return 'aborted';
  return causeByNumber(failure?.reason ?? '') ?? 'failed';
}

/** The exit code that belongs to a cause. */
export const exitCodeOf: Readonly<Record<Cause, number>> = {
  refused: vehicleExitCodes.failed,
  vehicle_state: vehicleExitCodes.blocked,
  failed: vehicleExitCodes.ecuFailed,
  came_back: vehicleExitCodes.cameBack,
  aborted: vehicleExitCodes.aborted,
};
