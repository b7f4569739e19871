import type { EcuId } from '#domain/ecu.ts';
import type { OtaFailure } from '#domain/failure.ts';
import type { EcuAnswer } from './ecu.ts';

/** `waitingFor`: conditions of the vehicle that the job waits for before it does anything. */
export function accepted(ecuId: EcuId, waitingFor: readonly string[] = []): EcuAnswer {
  const message = waitingFor.length === 0 ? '' : `accepted, and waits for ${waitingFor.join('; ')}`;
  return { ecuId, result: 'NO_FAILURE', message };
}

export function refused(ecuId: EcuId, failure: OtaFailure): EcuAnswer {
  const answer = { ecuId, result: failure.type, message: failure.reason };
  return failure.code === 'vehicle_state' ? { ...answer, blocked: true } : answer;
}
