import { create } from '@bufbuild/protobuf';
import type { FailureType } from '#domain/failure.ts';
import type { ProgressPhase, UpdatePhase } from '#domain/phase.ts';
import type { UpdateProgress } from '#domain/progress.ts';
import type { EcuStatus, FailureReport, HealthProbeState, OtaStatus } from '#domain/status.ts';
import {
  type StatusResponseEcuV2,
  StatusResponseEcuV2Schema,
  type UpdateStatus,
  UpdateStatusSchema,
} from '#gen/otaclient_v2_pb.ts';
import {
  capped,
  countFromWire,
  countToWire,
  failureTypeFromWire,
  failureTypeToWire,
  isEcuId,
  millisFromWire,
  millisToWire,
  otaStatusFromWire,
  otaStatusToWire,
  updatePhaseFromWire,
  updatePhaseToWire,
} from './wire.ts';

/**
 * One ECU's status, second generation. The optional fields are always present, empty where they say nothing: existing
 * daemons send and expect it so.
 */
export function statusToV2(status: EcuStatus): StatusResponseEcuV2 {
  return create(StatusResponseEcuV2Schema, {
    ecuId: status.ecuId,
    firmwareVersion: status.firmwareVersion,
    otaclientVersion: status.otaclientVersion,
    releaseName: status.release?.releaseName ?? '',
    releaseId: status.release?.releaseId ?? '',
    imageId: status.release?.imageId ?? '',
    otaStatus: otaStatusToWire(status.status),
    failureType: failureTypeToWire(status.failure?.type ?? 'NO_FAILURE'),
    failureReason: status.failure?.reason ?? '',
    failureTraceback: status.failure?.traceback ?? '',
    updateStatus: progressToV2(status.progress),
    waitingFor: waitingForInBounds(status.waitingFor),
    healthProbes: probesInBounds(status.healthProbes ?? []),
    parentEcuId: status.parentEcuId ?? '',
    slot: status.slot ?? '',
    bootloader: status.bootloader ?? '',
  });
}

function progressToV2(progress: UpdateProgress | undefined): UpdateStatus {
  const times = {
    totalElapsedTime: millisToWire(progress?.elapsedMs ?? 0),
    deltaGeneratingElapsedTime: millisToWire(progress?.deltaMs ?? 0),
    downloadingElapsedTime: millisToWire(progress?.downloadingMs ?? 0),
    updateApplyingElapsedTime: millisToWire(progress?.applyingMs ?? 0),
  };
  if (progress === undefined) return create(UpdateStatusSchema, times);
  const { copy, link, download } = progress;
  return create(UpdateStatusSchema, {
    ...times,
    updateFirmwareVersion: progress.targetVersion,
    totalFilesSizeUncompressed: countToWire(progress.totalBytes),
    totalFilesNum: countToWire(progress.totalFiles),
    updateStartTimestamp: countToWire(Math.floor(progress.startedAt / 1000)),
    phase: updatePhaseToWire(progress.phase),
    totalDownloadFilesNum: countToWire(progress.filesToDownload),
    totalDownloadFilesSize: countToWire(progress.bytesToDownload),
    downloadedFilesNum: countToWire(download.files),
    downloadedBytes: countToWire(progress.wireBytes),
    downloadedFilesSize: countToWire(download.bytes),
    downloadingErrors: countToWire(progress.downloadErrors),
    totalRemoveFilesNum: countToWire(progress.filesToRemove),
    removedFilesNum: countToWire(progress.filesRemoved),
    processedFilesNum: countToWire(copy.files + link.files + download.files),
    processedFilesSize: countToWire(copy.bytes + link.bytes + download.bytes),
  });
}

/** What a peer says in the second generation, in our closed words. Numbers we do not know get the nearest meaning. */
export function statusFromV2(wire: StatusResponseEcuV2): EcuStatus {
  const running = wire.updateStatus !== undefined && wire.updateStatus.updateStartTimestamp > 0n;
  // A status of a newer peer that comes with running progress is some kind of update; else nothing is known of it.
  const status = otaStatusFromWire(wire.otaStatus) ?? (running ? 'UPDATING' : 'INITIALIZED');
  const { releaseName, releaseId, imageId } = wire;
  return {
    ecuId: wire.ecuId,
    firmwareVersion: capped(wire.firmwareVersion, 'version'),
    otaclientVersion: capped(wire.otaclientVersion, 'version'),
    release:
      releaseName || releaseId || imageId
        ? {
            releaseName: capped(releaseName, 'release'),
            releaseId: capped(releaseId, 'release'),
            imageId: capped(imageId, 'release'),
          }
        : undefined,
    status,
    failure: failureFromWire(
      status,
      failureTypeFromWire(wire.failureType ?? 0),
      wire.failureReason ?? '',
      wire.failureTraceback ?? '',
    ),
    progress:
      status === 'UPDATING' ? progressFromV2(wire.updateStatus ?? create(UpdateStatusSchema)) : undefined,
    waitingFor: waitingForInBounds(wire.waitingFor),
    ...(wire.healthProbes.length === 0 ? {} : { healthProbes: probesInBounds(wire.healthProbes) }),
    ...(isEcuId(wire.parentEcuId) ? { parentEcuId: wire.parentEcuId } : {}),
    ...(wire.slot === '' ? {} : { slot: capped(wire.slot, 'word') }),
    ...(wire.bootloader === '' ? {} : { bootloader: capped(wire.bootloader, 'word') }),
  };
}

/** As many as may be configured. */
const maxProbes = 64;

/** What probes say, cut to its caps. */
export function probesInBounds(probes: readonly HealthProbeState[]): HealthProbeState[] {
  return probes.slice(0, maxProbes).map(({ name, kind, passes, output }) => {
    return {
      name: capped(name, 'word'),
      kind: capped(kind, 'word'),
      passes,
      output: capped(output, 'condition'),
    };
  });
}

/** More conditions than this are no help to anybody. */
const maxWaitingFor = 32;

/** What is waited for, cut to its caps. */
export function waitingForInBounds(conditions: readonly string[]): string[] {
  return conditions.slice(0, maxWaitingFor).map((text) => capped(text, 'condition'));
}

/**
 * A report exists only for a failed job. Existing daemons lose type and reason at a restart and then send NO_FAILURE
 * with status FAILURE: that is a failure of which nothing is known.
 */
export function failureFromWire(
  status: OtaStatus,
  type: FailureType,
  reason: string,
  traceback: string,
): FailureReport | undefined {
  if (status !== 'FAILURE' && status !== 'ROLLBACK_FAILURE') return undefined;
  if (type === 'NO_FAILURE' && reason === '' && traceback === '') return undefined;
  return {
    type: type === 'NO_FAILURE' ? 'RECOVERABLE' : type,
    reason: capped(reason, 'reason'),
    traceback: capped(traceback, 'traceback'),
  };
}

function progressFromV2(wire: UpdateStatus): UpdateProgress {
  const downloadedFiles = countFromWire(wire.downloadedFilesNum);
  const downloadedBytes = countFromWire(wire.downloadedFilesSize);
  const downloadingMs = millisFromWire(wire.downloadingElapsedTime);
  const applyingMs = millisFromWire(wire.updateApplyingElapsedTime);
  const phase = updatePhaseFromWire(wire.phase);
  return {
    targetVersion: capped(wire.updateFirmwareVersion, 'version'),
    startedAt: countFromWire(wire.updateStartTimestamp) * 1000,
    phase,
    step: stepOfPhase(phase),
    totalFiles: countFromWire(wire.totalFilesNum),
    totalBytes: countFromWire(wire.totalFilesSizeUncompressed),
    // This generation counts "done" and "downloaded" only; whatever was not downloaded was copied.
    copy: {
      files: Math.max(0, countFromWire(wire.processedFilesNum) - downloadedFiles),
      bytes: Math.max(0, countFromWire(wire.processedFilesSize) - downloadedBytes),
      elapsedMs: applyingMs,
    },
    link: { files: 0, bytes: 0, elapsedMs: 0 },
    download: { files: downloadedFiles, bytes: downloadedBytes, elapsedMs: downloadingMs },
    filesToDownload: countFromWire(wire.totalDownloadFilesNum),
    bytesToDownload: countFromWire(wire.totalDownloadFilesSize),
    wireBytes: countFromWire(wire.downloadedBytes),
    downloadErrors: countFromWire(wire.downloadingErrors),
    filesToRemove: countFromWire(wire.totalRemoveFilesNum),
    filesRemoved: countFromWire(wire.removedFilesNum),
    elapsedMs: millisFromWire(wire.totalElapsedTime),
    deltaMs: millisFromWire(wire.deltaGeneratingElapsedTime),
    downloadingMs,
    applyingMs,
  };
}

/** As existing daemons map the second generation to the first. */
function stepOfPhase(phase: UpdatePhase): ProgressPhase {
  switch (phase) {
    case 'INITIALIZING':
    case 'DOWNLOADING_OTA_CLIENT':
      return 'INITIAL';
    case 'PROCESSING_METADATA':
      return 'METADATA';
    case 'CALCULATING_DELTA':
    case 'DOWNLOADING_OTA_FILES':
    case 'APPLYING_UPDATE':
      return 'REGULAR';
    case 'PROCESSING_POSTUPDATE':
    case 'FINALIZING_UPDATE':
      return 'POST_PROCESSING';
  }
}
