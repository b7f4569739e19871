import type { EcuId } from '#domain/ecu.ts';
import type { FailureType, OtaFailure } from '#domain/failure.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { EcuStatus } from '#domain/status.ts';

/** One ECU's answer to a request. For Abort, any type but NO_FAILURE means "not stopped". */
export interface EcuAnswer {
  readonly ecuId: EcuId;
  readonly result: FailureType;
  /** What was refused, why, and what to do; when accepted, what it waits for, else empty. */
  readonly message: string;
  /** Set when the state of the vehicle is the reason: not the request, nor the ECU. */
  readonly blocked?: true;
}

/** How long a caller waits, and whether it still does. */
export interface CallContext {
  readonly signal: AbortSignal;
  /** Milliseconds left for the answer. Shrinks on every hop. */
  readonly budgetMs: number;
}

/** Who asks: what an ECU does not know is answered for by its parent, when there is one. */
export type Caller =
  /** A fleet agent or a person: wants one entry per named ECU. */
  | 'agent'
  /** A parent that passed on the request it got, and answers itself for what is not below this ECU. */
  | 'parent'
  /** Looks like a parent of another make; or is an agent that behaves in the same way. */
  | 'maybe_parent';

/** One request as it arrived. */
export interface IncomingCall extends CallContext {
  readonly caller: Caller;
  /** Whose it is, for people: `operator:workshop`, `grpc:10.0.0.9`. */
  readonly by?: string;
}

export interface UpdateRequest {
  readonly entries: readonly UpdateRequestEntry[];
  /** Follows the request through logs; made up when it is empty. */
  readonly requestId: string;
  /** The request as it arrived, with what newer peers put into it: passed on unread. */
  readonly origin?: unknown;
}

/** A request that only names ECUs. For Abort, no names means all. */
export interface NamedRequest {
  readonly ecuIds: readonly EcuId[];
  readonly requestId: string;
  /** As in UpdateRequest. */
  readonly origin?: unknown;
}

/** What a vehicle, or the part of it below one ECU, answers to Status. */
export interface VehicleReport {
  /** The ECUs of an update campaign, from the configuration of the answering ECU only. */
  readonly availableEcuIds: readonly EcuId[];
  readonly ecus: readonly EcuStatus[];
}

/** What a child answers to Status: itself and what lies below it. */
export interface ChildReport {
  readonly ecus: readonly EcuStatus[];
}

/** A directly connected child. Calls reject with ChildEcuError. */
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
  /** Why an update would be refused at this moment, whatever it is to; undefined when it would not. */
  refusalNow(): OtaFailure | undefined;
  rollback(requestId: string): Promise<EcuAnswer>;
  /** Resolves when the job has stopped, or cannot be stopped any more. */
  abort(requestId: string): Promise<EcuAnswer>;
  /** Undefined until the first status is known. */
  status(): EcuStatus | undefined;
  /** Calls `listener` after every change; returns how to stop that. */
  subscribe(listener: (status: EcuStatus) => void): () => void;
}

/** All ECUs from this one downwards, as one: what the API serves. Refusals are entries of answers, never rejections. */
export interface Vehicle {
  update(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]>;
  clientUpdate(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]>;
  rollback(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]>;
  abort(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]>;
  /** From snapshots, at once. Undefined until this ECU knows its own status. */
  status(): VehicleReport | undefined;
}
