import type { EcuId } from './ecu.ts';
import type { FailureType } from './failure.ts';
import type { UpdateProgress } from './progress.ts';
import type { ReleaseDetail } from './release.ts';

/** What an ECU's OTA client is doing, or how its last job ended (StatusOta on the wire, `status` file on disk). */
export const otaStatuses = [
  'INITIALIZED',
  'SUCCESS',
  'FAILURE',
  'UPDATING',
  'ROLLBACKING',
  'ROLLBACK_FAILURE',
  'CLIENT_UPDATING',
  'ABORTING',
  'ABORTED',
] as const;
export type OtaStatus = (typeof otaStatuses)[number];

/** Whether the ECU is at work, so that another request is refused as busy. */
export function isBusy(status: OtaStatus): boolean {
  return (
    status === 'UPDATING' || status === 'ROLLBACKING' || status === 'CLIENT_UPDATING' || status === 'ABORTING'
  );
}

/** Why the last job failed, in the form that goes to readers: no secrets in it. */
export interface FailureReport {
  readonly type: Exclude<FailureType, 'NO_FAILURE'>;
  /** `E<3 digits>: what happened, why, and what to do`. */
  readonly reason: string;
  /** Chain of causes, for engineers; empty when there is none. */
  readonly traceback: string;
}

/** One health probe of a first boot, as it stands. */
export interface HealthProbeState {
  readonly name: string;
  /** command, unit, tcp, http, grpc or signal. */
  readonly kind: string;
  readonly passes: boolean;
  /** What it said last, short; empty when it passes. */
  readonly output: string;
}

/** One ECU's status at one moment. Immutable: a change is a new snapshot. */
export interface EcuStatus {
  readonly ecuId: EcuId;
  readonly firmwareVersion: string;
  readonly otaclientVersion: string;
  readonly release: ReleaseDetail | undefined;
  readonly status: OtaStatus;
  /** Set when status is FAILURE or ROLLBACK_FAILURE. */
  readonly failure: FailureReport | undefined;
  /** Set while status is UPDATING. */
  readonly progress: UpdateProgress | undefined;
  /**
   * Conditions of the vehicle that the running job waits for, or that keep an update from starting; one line for people
   * each. Empty when there are none, and for a peer that does not say.
   */
  readonly waitingFor: readonly string[];
  /** The ECU above it; absent where nobody has said it. */
  readonly parentEcuId?: EcuId;
  /** The slot that runs, such as `slot_a`; absent where the ECU does not say it. */
  readonly slot?: string;
  /** How slots are switched, such as `grub`; absent where the ECU does not say it. */
  readonly bootloader?: string;
  /** Probes of a first boot that is being judged; absent otherwise. */
  readonly healthProbes?: readonly HealthProbeState[];
  /**
   * What the ECU itself said, when it is another one: passed on, so that fields of a newer release reach readers that
   * know them. Only the part that made it looks inside.
   */
  readonly origin?: unknown;
}
