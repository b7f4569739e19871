import type { EndStatus, StagedRelease, SwitchKind } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { FailureReport } from '#domain/status.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { GatePoint } from './gate.ts';
import type { DeltaPlan, StagedTree } from './plan.ts';
import type { PreparedTree } from './prepared-tree.ts';
import type { ProgressMeter } from './progress-meter.ts';

/** What every step is given: where to count, and when to stop. */
export interface StepContext {
  readonly meter: ProgressMeter;
  /** Aborted when the machine leaves the state that runs the step. */
  readonly signal: AbortSignal;
}

/** What waits for the vehicle. */
export interface WaitingJob {
  /** The update; undefined for a rollback. */
  readonly request: ReleaseRequest | undefined;
  readonly signal: AbortSignal;
}

/**
 * The work of an update, a rollback and a first boot, in the order in which the machine calls it. Each step takes only
 * what the step before it made. Every step may be interrupted at any point and run again. Errors: OtaFailure.
 */
export interface UpdateSteps {
  /** Fetches the image's description and verifies trust chain, signature and digests. Writes nothing to a slot. */
  verify(request: ReleaseRequest, context: StepContext): Promise<VerifiedImage>;
  /** Checks space; marks the standby slot as written to, makes it ready: directories and symlinks are in place. */
  prepare(image: VerifiedImage, context: StepContext): Promise<PreparedTree>;
  /** Looks at both slots and decides where every file will come from, as far as can be told without reading them. */
  plan(prepared: PreparedTree, context: StepContext): Promise<DeltaPlan>;
  /** Copies, downloads and links until the tree is the image, every byte hashed on its way. */
  place(plan: DeltaPlan, context: StepContext): Promise<StagedTree>;
  /** Carries persistent files over from the active slot. */
  persist(staged: StagedTree, context: StepContext): Promise<StagedTree>;
  /**
   * Waits until the vehicle is in a state for going on, as long as the options allow. Errors: OtaFailure `vehicle_state`.
   */
  awaitVehicle(point: GatePoint, job: WaitingJob): Promise<void>;
  /**
   * Everything durable, then the boot switch, read back. Not to be aborted. OtaFailure `vehicle_state`: nothing was
   * switched because the vehicle is not in a state for it any more; to be called again.
   */
  activate(staged: StagedTree, release: StagedRelease): Promise<void>;
  /** Waits until the children are done or the limit is over. */
  awaitChildren(context: { readonly signal: AbortSignal }): Promise<void>;
  /** OtaFailure `vehicle_state`: as for `activate`. The end of a trial is not held up by the state of the vehicle. */
  reboot(why: SwitchKind | 'trial_ended'): Promise<void>;
  /** Milliseconds within which `checkHealth` must have ended. */
  readonly firstBootLimitMs: number;
  /** The trial of a first boot. Resolves when the release is to be kept. Errors: OtaFailure `health_check_failed`. */
  checkHealth(context: { readonly signal: AbortSignal }): Promise<void>;
  confirm(): Promise<void>;
  /** Sets the boot choice back as far as it can. False when reboots were tried and do not lead back. Errors: none. */
  giveUp(failure: FailureReport, end: TrialEnd): Promise<boolean>;
  rollBack(): Promise<void>;
  /** Records how a job ended that did not lead to a boot of the other slot. */
  record(status: EndStatus, failure: FailureReport | undefined): Promise<void>;
}

/** The steps that build a release; the rest needs the slots only. */
export type BuildSteps = Pick<UpdateSteps, 'verify' | 'prepare' | 'plan' | 'place' | 'persist'>;
