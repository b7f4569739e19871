import type { EndStatus, StagedRelease } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { FailureReport } from '#domain/status.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { GatePoint } from '#update/gate.ts';
import type { DeltaPlan, StagedTree } from '#update/plan.ts';
import type { PreparedTree } from '#update/prepared-tree.ts';
import type { StepContext, UpdateSteps, WaitingJob } from '#update/steps.ts';

type StepName = keyof UpdateSteps;

/** A step that waits where it is told to. */
export interface Held {
  /** Resolves when the step has been called, with its signal. */
  readonly entered: Promise<AbortSignal | undefined>;
  /** Lets it go on to its end. */
  readonly release: () => void;
}

/** Steps for tests of the machine: each does nothing, fails or waits, as the test wants. */
export class ScriptedSteps implements UpdateSteps {
  readonly calls: StepName[] = [];
  readonly recorded: { readonly status: EndStatus; readonly failure: FailureReport | undefined }[] = [];
  readonly releases: StagedRelease[] = [];
  readonly failures = new Map<StepName, Error>();
  readonly firstBootLimitMs = 60_000;
  /** Where the job asked whether the vehicle is in a state for going on. */
  readonly points: GatePoint[] = [];
  /** The only point at which `awaitVehicle` is held or fails; every one where undefined. */
  heldAt: GatePoint | undefined;
  givenUp: FailureReport | undefined;
  trialEnd: TrialEnd | undefined;
  /** What `giveUp` says. */
  rebootHelps = true;
  readonly #held = new Map<
    StepName,
    { enter: (signal: AbortSignal | undefined) => void; go: Promise<void> }
  >();
  readonly #stubborn = new Set<StepName>();

  /** The next call of the step waits until it is released, or until it is aborted unless it is stubborn. */
  hold(name: StepName, kind: 'obedient' | 'stubborn' = 'obedient'): Held {
    const entered = Promise.withResolvers<AbortSignal | undefined>();
    const go = Promise.withResolvers<void>();
    this.#held.set(name, { enter: entered.resolve, go: go.promise });
    if (kind === 'stubborn') this.#stubborn.add(name);
    return { entered: entered.promise, release: go.resolve };
  }

  async verify(_request: ReleaseRequest, { signal }: StepContext): Promise<VerifiedImage> {
    await this.#pass('verify', signal);
    return { digest: 'd1' } as VerifiedImage;
  }

  async prepare(image: VerifiedImage, { signal }: StepContext): Promise<PreparedTree> {
    await this.#pass('prepare', signal);
    return { image } as PreparedTree;
  }

  async plan(prepared: PreparedTree, { signal }: StepContext): Promise<DeltaPlan> {
    await this.#pass('plan', signal);
    return { prepared, missing: [], likely: new Uint8Array() };
  }

  async place(plan: DeltaPlan, { signal }: StepContext): Promise<StagedTree> {
    await this.#pass('place', signal);
    return { image: plan.prepared.image } as StagedTree;
  }

  async persist(staged: StagedTree, { signal }: StepContext): Promise<StagedTree> {
    await this.#pass('persist', signal);
    return staged;
  }

  /** Counts as a call only where a test holds it or lets it fail. */
  async awaitVehicle(point: GatePoint, { signal }: WaitingJob): Promise<void> {
    this.points.push(point);
    if (this.heldAt !== undefined && this.heldAt !== point) return;
    if (this.#held.has('awaitVehicle') || this.failures.has('awaitVehicle')) {
      await this.#pass('awaitVehicle', signal);
    }
  }

  async activate(_staged: StagedTree, release: StagedRelease): Promise<void> {
    await this.#pass('activate', undefined);
    this.releases.push(release);
  }

  awaitChildren({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#pass('awaitChildren', signal);
  }

  reboot(): Promise<void> {
    return this.#pass('reboot', undefined);
  }

  checkHealth({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#pass('checkHealth', signal);
  }

  confirm(): Promise<void> {
    return this.#pass('confirm', undefined);
  }

  async giveUp(failure: FailureReport, end: TrialEnd): Promise<boolean> {
    this.givenUp = failure;
    this.trialEnd = end;
    await this.#pass('giveUp', undefined);
    return this.rebootHelps;
  }

  rollBack(): Promise<void> {
    return this.#pass('rollBack', undefined);
  }

  async record(status: EndStatus, failure: FailureReport | undefined): Promise<void> {
    await this.#pass('record', undefined);
    this.recorded.push({ status, failure });
  }

  async #pass(name: StepName, signal: AbortSignal | undefined): Promise<void> {
    this.calls.push(name);
    const held = this.#held.get(name);
    if (held !== undefined) {
      this.#held.delete(name);
      held.enter(signal);
      const aborted = Promise.withResolvers<never>();
      if (!this.#stubborn.has(name)) signal?.addEventListener('abort', () => aborted.reject(signal.reason));
      await Promise.race([held.go, aborted.promise]);
    }
    const failure = this.failures.get(name);
    if (failure !== undefined) throw failure;
  }
}
