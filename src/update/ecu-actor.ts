import type { Actor } from 'xstate';
import { createActor } from 'xstate';
import type { UpdateProgress } from '#domain/progress.ts';
import type { FailureReport, OtaStatus } from '#domain/status.ts';
import { type Gate, type GatePoint, openGate } from './gate.ts';
import type { EcuMachine } from './machine.ts';
import { createEcuMachine, statusOf } from './machine.ts';
import type { EcuEvent, MachineStart } from './machine-parts.ts';
import type { UpdateSteps } from './steps.ts';

/** A step that does not let go is not waited for longer than so many milliseconds when the daemon ends. */
const closeGraceMs = 4000;

/** What the machine of this ECU is at. */
export interface EcuActivity {
  readonly status: OtaStatus;
  readonly failure: FailureReport | undefined;
  readonly progress: UpdateProgress | undefined;
  /** Conditions of the vehicle that the job waits for; at rest, those that an update would have to wait for. */
  readonly waitingFor: readonly string[];
}

/** The running machine of one ECU. Its callers know no machine: they ask, send and listen. */
export class EcuActor implements AsyncDisposable {
  readonly #actor: Actor<EcuMachine>;
  readonly #gate: Gate;
  readonly #leaveGate: () => void;
  readonly #listeners = new Set<() => void>();

  /** `onDefect` is told what should never happen: an error that the machine itself did not handle. */
  constructor(
    steps: UpdateSteps,
    start: MachineStart,
    onDefect: (error: unknown) => void,
    gate: Gate = openGate,
  ) {
    this.#gate = gate;
    this.#leaveGate = gate.subscribe(() => {
      if (this.#waitsAt() !== undefined) this.#tell();
    });
    this.#actor = createActor(createEcuMachine(steps), { input: start });
    this.#actor.subscribe({ next: () => this.#changed(), error: onDefect });
  }

  /** Begins, which on a first boot means to judge it. Until then only the status is known. */
  start(): void {
    this.#actor.start();
  }

  /** Delivers an event; false when the machine does not take it now. The effect is visible when it returns. */
  send(event: EcuEvent): boolean {
    if (!this.#actor.getSnapshot().can(event)) return false;
    this.#actor.send(event);
    return true;
  }

  /** Whether a request would be taken. */
  get isAtRest(): boolean {
    return this.#actor.getSnapshot().matches('atRest');
  }

  /** False when it can do nothing any more but be started again. */
  get isAlive(): boolean {
    const snapshot = this.#actor.getSnapshot();
    return snapshot.status === 'active' && !snapshot.matches('hung');
  }

  /** What it does, for people: `updating to version 2.0 (placing)`. Empty at rest. */
  get doing(): string {
    const snapshot = this.#actor.getSnapshot();
    if (snapshot.matches('aborting')) return 'stopping an update';
    if (snapshot.matches('stranded') || snapshot.matches('hung'))
      return 'running a release that was given up; reboot it by hand';
    const step = wordsOf(snapshot.value);
    if (snapshot.matches('rollingBack')) return `rolling back (${step})`;
    if (!snapshot.matches('updating')) return '';
    return `updating to version ${snapshot.context.meter?.snapshot().targetVersion} (${step})`;
  }

  activity(): EcuActivity {
    const snapshot = this.#actor.getSnapshot();
    const status = statusOf(snapshot);
    const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
    const { failure, meter } = snapshot.context;
    const point = this.#waitsAt();
    return {
      status,
      failure: failed ? failure : undefined,
      progress: status === 'UPDATING' ? meter?.snapshot() : undefined,
      waitingFor: point === undefined ? [] : this.#gate.unfulfilled(point),
    };
  }

  /** Calls `listener` after every transition and change of phase; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops the machine where it is, aborts the running step and waits until it has let go. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { job } = this.#actor.getSnapshot().context;
    this.#actor.stop();
    this.#leaveGate();
    this.#listeners.clear();
    if (job === undefined) return;
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, closeGraceMs);
    await Promise.race([job.settled(), timeout.promise]);
    clearTimeout(timer);
  }

  #changed(): void {
    const { meter } = this.#actor.getSnapshot().context;
    if (meter !== undefined) meter.onPhase = () => this.#tell();
    this.#tell();
  }

  #waitsAt(): GatePoint | undefined {
    const snapshot = this.#actor.getSnapshot();
    const isAt = (state: 'awaitingStart' | 'awaitingReboot'): boolean =>
      snapshot.matches({ rollingBack: state });
    if (snapshot.matches('atRest') || isAt('awaitingStart')) return 'start';
    if (snapshot.matches({ updating: { building: 'awaitingStart' } })) return 'start';
    if (snapshot.matches({ updating: { building: 'awaitingActivation' } })) return 'activation';
    if (snapshot.matches({ updating: 'awaitingReboot' }) || isAt('awaitingReboot')) return 'reboot';
    return undefined;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The innermost state's name in words: `awaitingChildren` is `awaiting children`. */
function wordsOf(value: unknown): string {
  if (typeof value === 'string') return value.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return wordsOf(Object.values(value ?? {})[0] ?? '');
}
