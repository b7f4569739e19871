import type { EcuId } from '#domain/ecu.ts';
import type { FailureType } from '#domain/failure.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { EcuStatus } from '#domain/status.ts';

/** One ECU's answer to a request. For Abort, any type but NO_FAILURE means "not stopped". */
export interface EcuAnswer {
  readonly ecuId: EcuId;
  readonly result: FailureType;
  /** What was refused, why, and what to do; empty when accepted. */
  readonly message: string;
}

/** How long a caller waits, and whether it still does. */
export interface CallContext {
  readonly signal: AbortSignal;
  /** Milliseconds left for the answer. Shrinks on every hop. */
  readonly budgetMs: number;
}

export interface UpdateRequest {
  readonly entries: readonly UpdateRequestEntry[];
  readonly requestId: string;
}

/** A request that only names ECUs. For Abort, no names means all. */
export interface NamedRequest {
  readonly ecuIds: readonly EcuId[];
  readonly requestId: string;
}

/** What a child answers to Status: itself and what lies below it. */
export interface ChildReport {
  readonly ecus: readonly EcuStatus[];
}

/** A directly connected child. Calls reject when it does not answer in time, refuses the call or answers nonsense. */
export interface ChildEcu {
  readonly id: EcuId;
  update(request: UpdateRequest, call: CallContext): Promise<readonly EcuAnswer[]>;
  clientUpdate(request: UpdateRequest, call: CallContext): Promise<readonly EcuAnswer[]>;
  rollback(request: NamedRequest, call: CallContext): Promise<readonly EcuAnswer[]>;
  abort(request: NamedRequest, call: CallContext): Promise<readonly EcuAnswer[]>;
  status(call: CallContext): Promise<ChildReport>;
}

/** The ECU that this daemon runs on. Answers at once; the work goes on behind. */
export interface LocalEcu {
  readonly id: EcuId;
  update(entry: UpdateRequestEntry, requestId: string): EcuAnswer;
  clientUpdate(entry: UpdateRequestEntry, requestId: string): EcuAnswer;
  rollback(requestId: string): Promise<EcuAnswer>;
  /** Resolves when the job has stopped, or cannot be stopped any more. */
  abort(requestId: string): Promise<EcuAnswer>;
  /** Undefined until the first status is known. */
  status(): EcuStatus | undefined;
  /** Calls `listener` after every change; returns how to stop that. */
  subscribe(listener: (status: EcuStatus) => void): () => void;
}
