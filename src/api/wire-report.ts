import { create } from '@bufbuild/protobuf';
import type { EcuId } from '#domain/ecu.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { VehicleReport } from '#ecu/ecu.ts';
import {
  HealthProbeResultSchema,
  type StatusResponse,
  type StatusResponseEcu,
  type StatusResponseEcuV2,
  StatusResponseSchema,
} from '#gen/otaclient_v2_pb.ts';
import {
  capped,
  failureTypeFromWire,
  failureTypeToWire,
  isEcuId,
  otaStatusToWire,
  progressPhaseFromWire,
  progressPhaseToWire,
  updatePhaseFromWire,
  updatePhaseToWire,
} from './wire.ts';
import { statusFromV1, statusToV1, withV1Detail } from './wire-status-v1.ts';
import { probesInBounds, statusFromV2, statusToV2, waitingForInBounds } from './wire-status-v2.ts';

/** Most ECUs that are taken from one Status answer. */
export const maxReportedEcus = 256;

/** What an ECU said about itself: fields that this release does not know are in it. */
class WireOrigin {
  readonly v1: StatusResponseEcu | undefined;
  readonly v2: StatusResponseEcuV2 | undefined;

  constructor(v1: StatusResponseEcu | undefined, v2: StatusResponseEcuV2 | undefined) {
    this.v1 = v1;
    this.v2 = v2;
  }
}

/** A whole Status answer, both generations. What other ECUs said goes out as it came in. */
export function reportToWire(report: VehicleReport): StatusResponse {
  const said = report.ecus.map((status) => ({ status, origin: originOf(status) }));
  return create(StatusResponseSchema, {
    ecu: said.map(({ status, origin }) => origin?.v1 ?? statusToV1(status)),
    availableEcuIds: [...report.availableEcuIds],
    ecuV2: said.map(({ status, origin }) => withParent(origin?.v2, status) ?? statusToV2(status)),
  });
}

/**
 * What a peer's Status answer says: each ECU once, the second generation preferred. Entries without a usable name are
 * left out; texts are cut to their caps and unknown enum numbers closed, also in what is passed on: existing clients
 * reject a whole answer, with all ECUs in it, for one number that they do not know.
 */
export function reportFromWire(wire: StatusResponse): VehicleReport {
  const v1 = byId(wire.ecu);
  const v2 = byId(wire.ecuV2);
  const ids = [...new Set([...v2.keys(), ...v1.keys()])].slice(0, maxReportedEcus);
  return {
    availableEcuIds: wire.availableEcuIds.filter(isEcuId).slice(0, maxReportedEcus),
    ecus: ids.flatMap((id) => statusOf(v1.get(id), v2.get(id)) ?? []),
  };
}

function statusOf(
  v1: StatusResponseEcu | undefined,
  v2: StatusResponseEcuV2 | undefined,
): EcuStatus | undefined {
  if (v1 !== undefined) {
    capV1(v1);
    closeV1(v1);
  }
  if (v2 !== undefined) {
    capV2(v2);
    closeV2(v2);
  }
  const origin = new WireOrigin(v1, v2);
  if (v2 !== undefined) return { ...withV1Detail(statusFromV2(v2), v1), origin };
  return v1 === undefined ? undefined : { ...statusFromV1(v1), origin };
}

/** What is passed on names the ECU above, so that a reader further up knows the tree. */
function withParent(v2: StatusResponseEcuV2 | undefined, { parentEcuId = '' }: EcuStatus) {
  if (v2 === undefined || v2.parentEcuId !== '') return v2;
  return { ...v2, parentEcuId };
}

function originOf(status: EcuStatus): WireOrigin | undefined {
  return status.origin instanceof WireOrigin ? status.origin : undefined;
}

/** First entry of each ECU. */
function byId<T extends { readonly ecuId: EcuId }>(entries: readonly T[]): Map<EcuId, T> {
  const found = new Map<EcuId, T>();
  for (const entry of entries) {
    if (isEcuId(entry.ecuId) && !found.has(entry.ecuId)) found.set(entry.ecuId, entry);
  }
  return found;
}

function capV1({ status }: StatusResponseEcu): void {
  if (status === undefined) return;
  status.version = capped(status.version, 'version');
  status.failureReason = capped(status.failureReason, 'reason');
}

function capV2(wire: StatusResponseEcuV2): void {
  wire.firmwareVersion = capped(wire.firmwareVersion, 'version');
  wire.otaclientVersion = capped(wire.otaclientVersion, 'version');
  wire.releaseName = capped(wire.releaseName, 'release');
  wire.releaseId = capped(wire.releaseId, 'release');
  wire.imageId = capped(wire.imageId, 'release');
  if (wire.failureReason !== undefined) wire.failureReason = capped(wire.failureReason, 'reason');
  if (wire.failureTraceback !== undefined) {
    wire.failureTraceback = capped(wire.failureTraceback, 'traceback');
  }
  wire.parentEcuId = isEcuId(wire.parentEcuId) ? wire.parentEcuId : '';
  wire.slot = capped(wire.slot, 'word');
  wire.bootloader = capped(wire.bootloader, 'word');
  wire.healthProbes = probesInBounds(wire.healthProbes).map((probe) =>
    create(HealthProbeResultSchema, probe),
  );
  wire.waitingFor = waitingForInBounds(wire.waitingFor);
  if (wire.updateStatus !== undefined) {
    wire.updateStatus.updateFirmwareVersion = capped(wire.updateStatus.updateFirmwareVersion, 'version');
  }
}

function closeV1(wire: StatusResponseEcu): void {
  wire.result = failureTypeToWire(failureTypeFromWire(wire.result));
  const inner = wire.status;
  if (inner === undefined) return;
  inner.status = otaStatusToWire(statusFromV1(wire).status);
  inner.failure = failureTypeToWire(failureTypeFromWire(inner.failure));
  if (inner.progress === undefined) return;
  inner.progress.phase = progressPhaseToWire(progressPhaseFromWire(inner.progress.phase));
}

function closeV2(wire: StatusResponseEcuV2): void {
  wire.otaStatus = otaStatusToWire(statusFromV2(wire).status);
  if (wire.failureType !== undefined) {
    wire.failureType = failureTypeToWire(failureTypeFromWire(wire.failureType));
  }
  if (wire.updateStatus === undefined) return;
  wire.updateStatus.phase = updatePhaseToWire(updatePhaseFromWire(wire.updateStatus.phase));
}
