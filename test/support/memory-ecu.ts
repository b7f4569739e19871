import type { OtaFailure } from '#domain/failure.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import { type EcuStatus, isBusy } from '#domain/status.ts';
import type { EcuAnswer, LocalEcu } from '#ecu/ecu.ts';
import { ecuStatus, updateProgress } from './ecu-status.ts';

/** A local ECU that keeps its whole life in memory: a test moves it from one status to the next. */
export class MemoryEcu implements LocalEcu {
  readonly id: string;
  readonly #listeners = new Set<(status: EcuStatus) => void>();
  /** What was asked of it, with the request id. */
  readonly asked: string[] = [];
  #status: EcuStatus | undefined;
  /** Set to make it refuse everything. */
  refusal: OtaFailure | undefined;
  /** Resolves when an abort may be answered. */
  abortGate: Promise<void> = Promise.resolve();

  constructor(id: string, status: EcuStatus | undefined = ecuStatus(id)) {
    this.id = id;
    this.#status = status;
  }

  update(entry: UpdateRequestEntry, requestId: string): EcuAnswer {
    this.asked.push(`update ${entry.version} ${requestId}`);
    const refused = this.#refuse();
    if (refused !== undefined) return refused;
    this.become({ status: 'UPDATING', progress: updateProgress({ targetVersion: entry.version }) });
    return this.#accepted();
  }

  refusalNow(): OtaFailure | undefined {
    return this.refusal;
  }

  clientUpdate(entry: UpdateRequestEntry, requestId: string): EcuAnswer {
    this.asked.push(`clientUpdate ${entry.version} ${requestId}`);
    return { ecuId: this.id, result: 'RECOVERABLE', message: 'not supported' };
  }

  rollback(requestId: string): Promise<EcuAnswer> {
    this.asked.push(`rollback ${requestId}`);
    const refused = this.#refuse();
    if (refused === undefined) this.become({ status: 'ROLLBACKING' });
    return Promise.resolve(refused ?? this.#accepted());
  }

  async abort(requestId: string): Promise<EcuAnswer> {
    this.asked.push(`abort ${requestId}`);
    if (this.#status?.status !== 'UPDATING') {
      return { ecuId: this.id, result: 'RECOVERABLE', message: 'nothing to abort' };
    }
    await this.abortGate;
    this.become({ status: 'ABORTED' });
    return this.#accepted();
  }

  status(): EcuStatus | undefined {
    return this.#status;
  }

  subscribe(listener: (status: EcuStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Goes over to a status; what is not given is as in a resting ECU. */
  become(fields: Partial<Omit<EcuStatus, 'ecuId'>>): void {
    const status = ecuStatus(this.id, fields);
    this.#status = status;
    for (const listener of this.#listeners) listener(status);
  }

  #refuse(): EcuAnswer | undefined {
    const busy = this.#status !== undefined && isBusy(this.#status.status);
    if (busy) return { ecuId: this.id, result: 'RECOVERABLE', message: 'busy' };
    if (this.refusal === undefined) return undefined;
    return { ecuId: this.id, result: this.refusal.type, message: this.refusal.reason };
  }

  #accepted(): EcuAnswer {
    return { ecuId: this.id, result: 'NO_FAILURE', message: '' };
  }
}
