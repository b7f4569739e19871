import type { EcuId } from '#domain/ecu.ts';
import type { OtaFailure } from '#domain/failure.ts';
import type { EcuAnswer } from './ecu.ts';

export function accepted(ecuId: EcuId): EcuAnswer {
  return { ecuId, result: 'NO_FAILURE', message: '' };
}

export function refused(ecuId: EcuId, failure: OtaFailure): EcuAnswer {
  const answer = { ecuId, result: failure.type, message: failure.reason };
  return failure.code === 'vehicle_state' ? { ...answer, blocked: true } : answer;
}
