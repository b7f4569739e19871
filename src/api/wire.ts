import type { Duration } from '@bufbuild/protobuf/wkt';
import { maxEcuIdLength } from '#domain/ecu.ts';
import type { FailureType } from '#domain/failure.ts';
import { type ProgressPhase, progressPhases, type UpdatePhase, updatePhases } from '#domain/phase.ts';
import { type OtaStatus, otaStatuses } from '#domain/status.ts';
import {
  FailureType as WireFailureType,
  StatusOta as WireStatusOta,
  StatusProgressPhase as WireStatusProgressPhase,
  UpdatePhase as WireUpdatePhase,
} from '#gen/otaclient_v2_pb.ts';

// The words of the contract in ours. Generated enums are open: a newer peer may send any number.

const failureTypes: readonly FailureType[] = ['NO_FAILURE', 'RECOVERABLE', 'UNRECOVERABLE'];

/** An unknown kind of failure is one that we do not know how to recover from. */
export function failureTypeFromWire(type: WireFailureType): FailureType {
  return failureTypes[type] ?? 'UNRECOVERABLE';
}

export function failureTypeToWire(type: FailureType): WireFailureType {
  return WireFailureType[type];
}

/** Undefined for a number of a newer peer. */
export function otaStatusFromWire(status: WireStatusOta): OtaStatus | undefined {
  return otaStatuses[status];
}

export function otaStatusToWire(status: OtaStatus): WireStatusOta {
  return WireStatusOta[status];
}

/** An unknown phase says only that the update runs. */
export function updatePhaseFromWire(phase: WireUpdatePhase): UpdatePhase {
  return updatePhases[phase] ?? 'INITIALIZING';
}

export function updatePhaseToWire(phase: UpdatePhase): WireUpdatePhase {
  return WireUpdatePhase[phase];
}

export function progressPhaseFromWire(phase: WireStatusProgressPhase): ProgressPhase {
  return progressPhases[phase] ?? 'INITIAL';
}

export function progressPhaseToWire(phase: ProgressPhase): WireStatusProgressPhase {
  return WireStatusProgressPhase[phase];
}

/** Milliseconds of a Duration; negative and absent ones are 0. */
export function millisFromWire(duration: Duration | undefined): number {
  if (duration === undefined) return 0;
  return Math.max(0, countFromWire(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1e6));
}

/** The init shape of a Duration. Always there, also when it is zero, as existing daemons send it. */
export function millisToWire(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.max(0, Math.round(ms));
  return { seconds: BigInt(Math.floor(whole / 1000)), nanos: (whole % 1000) * 1e6 };
}

/** A count as a number; beyond 2^53 it stays at the largest exact one. */
export function countFromWire(count: bigint): number {
  const capped = count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
  return Math.max(0, capped);
}

export function countToWire(count: number): bigint {
  return BigInt(Math.max(0, Math.round(count)));
}

/** Longest texts taken from a peer, in UTF-16 units. */
export const textCaps = {
  version: 1024,
  release: 1024,
  reason: 4096,
  traceback: 8192,
  message: 2048,
  condition: 1024,
  word: 64,
} as const;

/** Text of a peer, cut to its cap without leaving half a character. */
export function capped(text: string, kind: keyof typeof textCaps): string {
  const cap = textCaps[kind];
  return text.length <= cap ? text : text.slice(0, cap).toWellFormed();
}

/** Whether a peer's text can be the name of an ECU at all. */
export function isEcuId(text: string): boolean {
  return text.length > 0 && text.length <= maxEcuIdLength && !/\p{Cc}/u.test(text);
}
