import { BootError } from '#boot/boot-error.ts';
import type { SlotContents, Slots } from '#boot/slots.ts';
import type { EcuId } from '#domain/ecu.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { EcuActor } from '#update/ecu-actor.ts';
import { failureOf } from '#update/failure-of.ts';
import { type Gate, refusalAt } from '#update/gate.ts';
import type { ProbeBoard } from '#update/health/probe-board.ts';
import type { EcuEvent } from '#update/machine-parts.ts';
import { validateUpdateRequest } from '#update/request.ts';
import { accepted, refused } from './answers.ts';
import type { EcuAnswer, LocalEcu } from './ecu.ts';

export interface MachineEcuParts {
  readonly id: EcuId;
  readonly otaclientVersion: string;
  readonly actor: EcuActor;
  /** The release that runs; it does not change while the daemon runs. */
  readonly running: Pick<SlotContents, 'id' | 'version' | 'detail'>;
  readonly slots: Pick<Slots, 'rollbackTarget' | 'bootloader'>;
  readonly allowRollback: boolean;
  readonly gate: Gate;
  /** What the probes of a first boot say. */
  readonly probes: Pick<ProbeBoard, 'states' | 'subscribe'>;
}

/** Progress is told once per so many milliseconds; changes of status and phase at once. */
const progressIntervalMs = 200;

/** The ECU that this daemon runs on, around the actor of its machine. Closing ends its notifications. */
export class MachineEcu implements LocalEcu, Disposable {
  readonly id: EcuId;
  readonly #parts: MachineEcuParts;
  readonly #listeners = new Set<(status: EcuStatus) => void>();
  readonly #unsubscribe: () => void;
  readonly #closed = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: MachineEcuParts) {
    this.id = parts.id;
    this.#parts = parts;
    const stops = [parts.actor, parts.probes].map((source) => source.subscribe(() => this.#tell()));
    this.#unsubscribe = () => {
      for (const stop of stops) stop();
    };
  }

  update(entry: UpdateRequestEntry, requestId: string): EcuAnswer {
    if (!this.#parts.actor.isAtRest) return this.#busy();
    const request = validateUpdateRequest(entry, requestId);
    if (request instanceof OtaFailure) return refused(this.id, request);
    const refusal = this.#refusedByVehicle();
    if (refusal !== undefined) return refused(this.id, refusal);
    return this.#send({ type: 'UPDATE', request });
  }

  refusalNow(): OtaFailure | undefined {
    const { actor } = this.#parts;
    return actor.isAtRest ? this.#refusedByVehicle() : new OtaFailure('busy', actor.doing);
  }

  clientUpdate(_entry: UpdateRequestEntry, _requestId: string): EcuAnswer {
    const why = 'its client comes with the release';
    return refused(this.id, new OtaFailure('client_update_unsupported', why));
  }

  async rollback(_requestId: string): Promise<EcuAnswer> {
    const { actor, slots, allowRollback, gate } = this.#parts;
    if (!allowRollback) {
      const why = 'it is switched off by the option allow.rollback';
      return refused(this.id, new OtaFailure('rollback_refused', why));
    }
    if (!actor.isAtRest) return this.#busy();
    try {
      await slots.rollbackTarget();
    } catch (error) {
      const known = error instanceof BootError && error.code === 'rollback_refused';
      return refused(this.id, failureOf(error, known ? 'rollback_refused' : 'rollback_failed'));
    }
    const refusal = gate.holdsRollbacks ? this.#refusedByVehicle() : undefined;
    if (refusal !== undefined) return refused(this.id, refusal);
    return this.#send({ type: 'ROLLBACK' });
  }

  async abort(_requestId: string): Promise<EcuAnswer> {
    const { actor } = this.#parts;
    if (actor.activity().status !== 'ABORTING' && !actor.send({ type: 'ABORT' })) {
      return { ecuId: this.id, result: 'RECOVERABLE', message: this.#whyNotAborted() };
    }
    const { failure } = await this.#afterAborting();
    return failure === undefined
      ? accepted(this.id)
      : { ecuId: this.id, result: failure.type, message: failure.reason };
  }

  status(): EcuStatus {
    const { id: ecuId, otaclientVersion, running, slots, actor, probes } = this.#parts;
    return {
      ecuId,
      firmwareVersion: running.version,
      otaclientVersion,
      release: running.detail,
      slot: running.id,
      bootloader: slots.bootloader,
      ...(probes.states.length === 0 ? {} : { healthProbes: probes.states }),
      ...actor.activity(),
    };
  }

  subscribe(listener: (status: EcuStatus) => void): () => void {
    this.#listeners.add(listener);
    this.#keepTime();
    return () => {
      this.#listeners.delete(listener);
      this.#keepTime();
    };
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#listeners.clear();
    this.#keepTime();
    this.#closed.resolve();
  }

  #tell(): void {
    if (this.#listeners.size === 0) return;
    const status = this.status();
    for (const listener of this.#listeners) listener(status);
    this.#keepTime();
  }

  /** Ticks as long as there is progress and somebody to tell it to; so the last counts are told as well. */
  #keepTime(): void {
    const wanted = this.#listeners.size > 0 && this.#parts.actor.activity().progress !== undefined;
    if (wanted) {
      this.#timer ??= setInterval(() => this.#tell(), progressIntervalMs);
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #send(event: EcuEvent): EcuAnswer {
    const { actor } = this.#parts;
    return actor.send(event) ? accepted(this.id, actor.activity().waitingFor) : this.#busy();
  }

  /** Where a request may wait, it is taken all the same. */
  #refusedByVehicle(): OtaFailure | undefined {
    const { gate } = this.#parts;
    return gate.waitMs.start > 0 ? undefined : refusalAt(gate, 'start');
  }

  #busy(): EcuAnswer {
    return refused(this.id, new OtaFailure('busy', this.#parts.actor.doing));
  }

  #whyNotAborted(): string {
    const { actor } = this.#parts;
    const { status } = actor.activity();
    if (status === 'UPDATING') return `too late to abort: ${actor.doing}`;
    if (status === 'ROLLBACKING') return `a rollback cannot be aborted: ${actor.doing}`;
    return 'nothing to abort: no update is running';
  }

  /** Why the abort could not be brought to its end, if so. */
  async #afterAborting(): Promise<Pick<EcuStatus, 'failure'>> {
    const { actor } = this.#parts;
    const ended = Promise.withResolvers<void>();
    const unsubscribe = actor.subscribe(() => {
      if (actor.activity().status !== 'ABORTING') ended.resolve();
    });
    if (actor.activity().status !== 'ABORTING') ended.resolve();
    await Promise.race([ended.promise, this.#closed.promise]);
    unsubscribe();
    return actor.activity();
  }
}
