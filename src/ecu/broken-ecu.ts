import type { EcuId } from '#domain/ecu.ts';
import type { OtaFailure } from '#domain/failure.ts';
import type { EcuStatus } from '#domain/status.ts';
import { reportOf } from '#update/failure-report.ts';
import { refused } from './answers.ts';
import type { EcuAnswer, LocalEcu } from './ecu.ts';

/** Stands in for an ECU that cannot work: shows FAILURE with the reason, and refuses everything with it. */
export class BrokenEcu implements LocalEcu {
  readonly id: EcuId;
  readonly #failure: OtaFailure;
  readonly #status: EcuStatus;

  constructor(id: EcuId, otaclientVersion: string, failure: OtaFailure) {
    this.id = id;
    this.#failure = failure;
    this.#status = {
      ecuId: id,
      firmwareVersion: '',
      otaclientVersion,
      release: undefined,
      status: 'FAILURE',
      failure: reportOf(failure),
      progress: undefined,
      waitingFor: [],
    };
  }

  update(): EcuAnswer {
    return refused(this.id, this.#failure);
  }

  refusalNow(): OtaFailure {
    return this.#failure;
  }

  clientUpdate(): EcuAnswer {
    return refused(this.id, this.#failure);
  }

  rollback(): Promise<EcuAnswer> {
    return Promise.resolve(refused(this.id, this.#failure));
  }

  abort(): Promise<EcuAnswer> {
    return Promise.resolve(refused(this.id, this.#failure));
  }

  status(): EcuStatus {
    return this.#status;
  }

  /** Its status never changes. */
  subscribe(): () => void {
    return () => {};
  }
}
