import { create, isMessage } from '@bufbuild/protobuf';
import { maxEcuIdLength } from '#domain/ecu.ts';
import { failureKinds } from '#domain/failure.ts';
import type { EcuAnswer, NamedRequest, UpdateRequest } from '#ecu/ecu.ts';
import {
  AbortFailureType,
  type AbortRequest,
  AbortRequestSchema,
  type AbortResponse,
  AbortResponseSchema,
  type RollbackRequest,
  RollbackRequestSchema,
  type RollbackResponse,
  RollbackResponseSchema,
  type UpdateResponse,
  UpdateResponseSchema,
  type UpdateRequest as WireUpdateRequest,
  UpdateRequestSchema as WireUpdateRequestSchema,
} from '#gen/otaclient_v2_pb.ts';
import { capped, failureTypeFromWire, failureTypeToWire, isEcuId } from './wire.ts';
import { maxReportedEcus } from './wire-report.ts';

// Requests keep the message they came from, so that fields of a newer agent reach children that know them.

export function updateRequestFromWire(wire: WireUpdateRequest): UpdateRequest {
  const entries = wire.ecu.map(({ ecuId, version, url, cookies, releaseName, releaseId, imageId, force }) => {
    return { ecuId: cutName(ecuId), version, url, cookies, releaseName, releaseId, imageId, force };
  });
  return { entries, requestId: cutName(wire.requestId), origin: wire };
}

export function updateRequestToWire({ entries, requestId, origin }: UpdateRequest): WireUpdateRequest {
  if (isMessage(origin, WireUpdateRequestSchema)) return { ...origin, requestId };
  return create(WireUpdateRequestSchema, { ecu: entries.map((entry) => ({ ...entry })), requestId });
}

export function rollbackRequestFromWire(wire: RollbackRequest): NamedRequest {
  return namedRequestFromWire(wire);
}

export function rollbackRequestToWire({ ecuIds, requestId, origin }: NamedRequest): RollbackRequest {
  if (isMessage(origin, RollbackRequestSchema)) return { ...origin, requestId };
  return create(RollbackRequestSchema, { ecu: ecuIds.map((ecuId) => ({ ecuId })), requestId });
}

export function abortRequestFromWire(wire: AbortRequest): NamedRequest {
  return namedRequestFromWire(wire);
}

export function abortRequestToWire({ ecuIds, requestId, origin }: NamedRequest): AbortRequest {
  if (isMessage(origin, AbortRequestSchema)) return { ...origin, requestId };
  return create(AbortRequestSchema, { ecu: ecuIds.map((ecuId) => ({ ecuId })), requestId });
}

export function updateAnswersToWire(answers: readonly EcuAnswer[]): UpdateResponse {
  return create(UpdateResponseSchema, { ecu: answers.map(answerToWire) });
}

export function rollbackAnswersToWire(answers: readonly EcuAnswer[]): RollbackResponse {
  return create(RollbackResponseSchema, { ecu: answers.map(answerToWire) });
}

/** Abort knows two results only. */
export function abortAnswersToWire(answers: readonly EcuAnswer[]): AbortResponse {
  return create(AbortResponseSchema, {
    ecu: answers.map(({ ecuId, result, message }) => ({
      ecuId,
      message,
      result: result === 'NO_FAILURE' ? AbortFailureType.ABORT_NO_FAILURE : AbortFailureType.ABORT_FAILURE,
    })),
  });
}

export function updateAnswersFromWire(wire: UpdateResponse): EcuAnswer[] {
  return answersFromWire(wire.ecu, failureTypeFromWire);
}

export function rollbackAnswersFromWire(wire: RollbackResponse): EcuAnswer[] {
  return answersFromWire(wire.ecu, failureTypeFromWire);
}

export function abortAnswersFromWire(wire: AbortResponse): EcuAnswer[] {
  return answersFromWire(wire.ecu, (result) => {
    return result === AbortFailureType.ABORT_NO_FAILURE ? 'NO_FAILURE' : 'RECOVERABLE';
  });
}

function namedRequestFromWire(wire: RollbackRequest | AbortRequest): NamedRequest {
  const ecuIds = wire.ecu.map(({ ecuId }) => cutName(ecuId));
  return { ecuIds, requestId: cutName(wire.requestId), origin: wire };
}

/** Longer than any ECU's name, so that it stays nobody's; but not longer than logs and answers bear. */
function cutName(name: string): string {
  return name.length > maxEcuIdLength ? name.slice(0, maxEcuIdLength + 1).toWellFormed() : name;
}

function answerToWire({ ecuId, result, message }: EcuAnswer) {
  return { ecuId, result: failureTypeToWire(result), message };
}

/** The contract has no field for it, but the number of a failure keeps its meaning from release to release. */
const blockedMark = `E${failureKinds.vehicle_state.number}:`;

/** Entries without a usable name are left out; texts are cut to their caps. */
function answersFromWire<
  T extends { readonly ecuId: string; readonly result: number; readonly message: string },
>(entries: readonly T[], resultOf: (result: T['result']) => EcuAnswer['result']): EcuAnswer[] {
  return entries
    .filter(({ ecuId }) => isEcuId(ecuId))
    .slice(0, maxReportedEcus)
    .map(({ ecuId, result, message }) => ({
      ecuId,
      result: resultOf(result),
      message: capped(message, 'message'),
      ...(message.startsWith(blockedMark) ? { blocked: true as const } : {}),
    }));
}
