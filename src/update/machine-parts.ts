import { assign, fromPromise, setup } from 'xstate';
import type { SwitchKind } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { FailureReport, OtaStatus } from '#domain/status.ts';
import type { TrialCause, TrialEnd } from '#domain/trial-end.ts';
import type { VerifiedImage } from '#image/image.ts';
import { failureOf } from './failure-of.ts';
import { reportOf } from './failure-report.ts';
import { type GatePoint, isHeldBack } from './gate.ts';
import { TrialFailure, trialEndOf } from './health/trial-failure.ts';
import { UpdateJob } from './job.ts';
import type { DeltaPlan, StagedTree } from './plan.ts';
import type { PreparedTree } from './prepared-tree.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { UpdateSteps } from './steps.ts';

/** Statuses in which nothing is under way. */
export type RestStatus = 'INITIALIZED' | 'SUCCESS' | 'FAILURE' | 'ROLLBACK_FAILURE' | 'ABORTED';

/** Where the machine starts: what `finalize.ts` makes of the boot verdict. */
export type MachineStart =
  | { readonly at: 'rest'; readonly status: RestStatus; readonly failure: FailureReport | undefined }
  | { readonly at: 'first_boot'; readonly of: SwitchKind; readonly version: string };

export type EcuEvent =
  | { readonly type: 'UPDATE'; readonly request: ReleaseRequest }
  | { readonly type: 'ROLLBACK' }
  | { readonly type: 'ABORT' };

/** What the steps of a job have made so far. */
interface JobProducts {
  readonly image: VerifiedImage | undefined;
  readonly prepared: PreparedTree | undefined;
  readonly plan: DeltaPlan | undefined;
  readonly staged: StagedTree | undefined;
}

export interface EcuContext extends JobProducts {
  readonly start: MachineStart;
  /** The running update, or the last one. */
  readonly job: UpdateJob | undefined;
  /** Counts while an update is under way. */
  readonly meter: ProgressMeter | undefined;
  /** Why the last job failed. */
  readonly failure: FailureReport | undefined;
  /** Why the running release is not kept. */
  readonly trialEnd: TrialEnd | undefined;
}

/** Nothing made: what is not needed any more is let go, so that its memory is. */
const nothingMade: JobProducts = {
  image: undefined,
  prepared: undefined,
  plan: undefined,
  staged: undefined,
};

/** An aborted step that has not let go of its work after so many milliseconds is left behind. */
const abortGraceMs = 4000;

/** Setting the boot choice ends by itself: every boot tool has a limit. */
const bootSwitchLimitMs = 10 * 60_000;
/** A machine that was told to reboot has gone down by then. */
const rebootLimitMs = 10 * 60_000;

/** The actors, actions and guards of the machine: each actor is one call of one step. */
export function ecuMachineParts(steps: UpdateSteps) {
  return setup({
    types: {
      context: {} as EcuContext,
      events: {} as EcuEvent,
      input: {} as MachineStart,
      tags: {} as OtaStatus,
    },
    actors: {
      verify: fromPromise<VerifiedImage, { job: UpdateJob }>(({ input: { job }, signal }) =>
        job.run(signal, (context) => steps.verify(job.request, context)),
      ),
      prepare: fromPromise<PreparedTree, { job: UpdateJob; image: VerifiedImage }>(
        ({ input: { job, image }, signal }) =>
          job.runAlone(signal, (context) => steps.prepare(image, context)),
      ),
      plan: fromPromise<DeltaPlan, { job: UpdateJob; prepared: PreparedTree }>(
        ({ input: { job, prepared }, signal }) => job.run(signal, (context) => steps.plan(prepared, context)),
      ),
      place: fromPromise<StagedTree, { job: UpdateJob; plan: DeltaPlan }>(
        ({ input: { job, plan }, signal }) => job.run(signal, (context) => steps.place(plan, context)),
      ),
      persist: fromPromise<StagedTree, { job: UpdateJob; staged: StagedTree }>(
        ({ input: { job, staged }, signal }) => job.run(signal, (context) => steps.persist(staged, context)),
      ),
      activate: fromPromise<void, { job: UpdateJob; staged: StagedTree }>(({ input: { job, staged } }) => {
        const { version, detail } = job.request;
        return steps.activate(staged, { version, detail, imageDigest: staged.image.digest });
      }),
      awaitVehicle: fromPromise<void, { point: GatePoint; request: ReleaseRequest | undefined }>(
        ({ input: { point, request }, signal }) => steps.awaitVehicle(point, { request, signal }),
      ),
      awaitChildren: fromPromise(({ signal }) => steps.awaitChildren({ signal })),
      reboot: fromPromise<void, SwitchKind | 'trial_ended'>(({ input }) => steps.reboot(input)),
      rollBack: fromPromise(() => steps.rollBack()),
      settle: fromPromise<void, { job: UpdateJob | undefined }>(async ({ input: { job } }) => job?.settled()),
      checkHealth: fromPromise(({ signal }) => steps.checkHealth({ signal })),
      confirm: fromPromise(() => steps.confirm()),
      giveUp: fromPromise<boolean, { failure: FailureReport; end: TrialEnd }>(({ input: { failure, end } }) =>
        steps.giveUp(failure, end),
      ),
      recordAborted: fromPromise(() => steps.record('ABORTED', undefined)),
      recordFailure: fromPromise<
        void,
        { status: 'FAILURE' | 'ROLLBACK_FAILURE'; failure: FailureReport | undefined }
      >(({ input }) => steps.record(input.status, input.failure)),
    },
    actions: {
      beginUpdate: assign(({ context, event }) => {
        if (event.type !== 'UPDATE') return {};
        const job = new UpdateJob(event.request, context.job);
        return { ...nothingMade, job, meter: job.meter, failure: undefined };
      }),
      beginRollback: assign({ ...nothingMade, meter: undefined, failure: undefined }),
      endJob: assign({ ...nothingMade, meter: undefined }),
      failUpdate: assign(({ event }) => ({ failure: reportOf(failureOf(errorIn(event), 'unspecific')) })),
      failRollback: assign(({ event }) => ({ failure: reportOf(rollbackFailure(errorIn(event))) })),
      endTrial: assign(({ event }, { of, cause }: { of: SwitchKind; cause: TrialCause }) => {
        const { failure, end } = endOfTrial(errorIn(event), cause);
        return { failure: reportOf(of === 'update' ? failure : rollbackFailure(failure)), trialEnd: end };
      }),
      clearFailure: assign({ failure: undefined }),
      showPersisting: ({ context }) => context.meter?.enter('PROCESSING_POSTUPDATE', 'PERSISTENT'),
      showActivating: ({ context }) => context.meter?.enter('PROCESSING_POSTUPDATE', 'POST_PROCESSING'),
      showFinalizing: ({ context }) => context.meter?.enter('FINALIZING_UPDATE', 'POST_PROCESSING'),
    },
    guards: {
      heldBack: ({ event }) => isHeldBack(errorIn(event)),
      restsAt: ({ context: { start } }, { status }: { status: RestStatus }) =>
        start.at === 'rest' && start.status === status,
      rebootLeadsBack: ({ event }) => !('output' in event) || event.output !== false,
      firstBootOf: ({ context: { start } }, { of }: { of: SwitchKind }) =>
        start.at === 'first_boot' && start.of === of,
    },
    delays: {
      abortGrace: abortGraceMs,
      firstBootLimit: steps.firstBootLimitMs,
      bootSwitchLimit: bootSwitchLimitMs,
      rebootLimit: rebootLimitMs,
    },
  });
}

/** What the machine starts with. A first boot shows at once that it is at the end of an update. */
export function startContext(start: MachineStart): EcuContext {
  const failure = start.at === 'rest' ? start.failure : undefined;
  let meter: ProgressMeter | undefined;
  if (start.at === 'first_boot' && start.of === 'update') {
    meter = new ProgressMeter(start.version);
    meter.enter('FINALIZING_UPDATE', 'POST_PROCESSING');
  }
  return { ...nothingMade, start, job: undefined, meter, failure, trialEnd: undefined };
}

/** The error in the event by which an actor tells that its step failed. */
function errorIn(event: object): unknown {
  return 'error' in event ? event.error : undefined;
}

/** Why a trial ended; without an error, because its time was over. */
function endOfTrial(error: unknown, cause: TrialCause): { failure: OtaFailure; end: TrialEnd } {
  const failure =
    error === undefined
      ? new TrialFailure({ cause, detail: overdue[cause] ?? cause, probe: undefined })
      : failureOf(error, 'unspecific');
  return { failure, end: trialEndOf(failure) ?? { cause, detail: failure.detail, probe: undefined } };
}

const overdue: Partial<Record<TrialCause, string>> = {
  not_decided: 'its first boot took longer than its probes and their time to hold allow',
  not_confirmed: 'making it permanent did not come to an end',
};

/** Whatever fails in a rollback, a health check included, means that the rollback failed. */
function rollbackFailure(error: unknown): OtaFailure {
  const failure = failureOf(error, 'rollback_failed');
  const own = failure.code === 'rollback_failed' || failure.code === 'rollback_refused';
  return own ? failure : new OtaFailure('rollback_failed', failure.detail, { cause: failure });
}
