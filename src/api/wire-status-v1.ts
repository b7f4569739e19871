import { create } from '@bufbuild/protobuf';
import type { ProgressPhase, UpdatePhase } from '#domain/phase.ts';
import type { UpdateProgress, WorkDone } from '#domain/progress.ts';
import type { EcuStatus } from '#domain/status.ts';
import {
  FailureType,
  type StatusProgress,
  StatusProgressSchema,
  type StatusResponseEcu,
  StatusResponseEcuSchema,
} from '#gen/otaclient_v2_pb.ts';
import {
  capped,
  countFromWire,
  countToWire,
  failureTypeFromWire,
  failureTypeToWire,
  millisFromWire,
  millisToWire,
  otaStatusFromWire,
  otaStatusToWire,
  progressPhaseFromWire,
  progressPhaseToWire,
} from './wire.ts';
import { failureFromWire } from './wire-status-v2.ts';

/** One ECU's status, first generation. `result` is about the call, which went well. */
export function statusToV1(status: EcuStatus): StatusResponseEcu {
  const { progress, failure } = status;
  return create(StatusResponseEcuSchema, {
    ecuId: status.ecuId,
    result: FailureType.NO_FAILURE,
    status: {
      status: otaStatusToWire(status.status),
      failure: failureTypeToWire(failure?.type ?? 'NO_FAILURE'),
      failureReason: failure?.reason ?? '',
      version: status.firmwareVersion,
      progress: progressToV1(progress),
    },
  });
}

function progressToV1(progress: UpdateProgress | undefined): StatusProgress {
  const times = {
    elapsedTimeCopy: millisToWire(progress?.copy.elapsedMs ?? 0),
    elapsedTimeLink: millisToWire(progress?.link.elapsedMs ?? 0),
    elapsedTimeDownload: millisToWire(progress?.download.elapsedMs ?? 0),
    totalElapsedTime: millisToWire(progress?.elapsedMs ?? 0),
  };
  if (progress === undefined) return create(StatusProgressSchema, times);
  const { copy, link, download } = progress;
  return create(StatusProgressSchema, {
    ...times,
    phase: progressPhaseToWire(progress.step),
    totalRegularFiles: countToWire(progress.totalFiles),
    regularFilesProcessed: countToWire(copy.files + link.files + download.files),
    filesProcessedCopy: countToWire(copy.files),
    filesProcessedLink: countToWire(link.files),
    filesProcessedDownload: countToWire(download.files),
    fileSizeProcessedCopy: countToWire(copy.bytes),
    fileSizeProcessedLink: countToWire(link.bytes),
    fileSizeProcessedDownload: countToWire(download.bytes),
    errorsDownload: countToWire(progress.downloadErrors),
    totalRegularFileSize: countToWire(progress.totalBytes),
    downloadBytes: countToWire(progress.wireBytes),
  });
}

/** What a first-generation peer says, as far as that generation carries it. */
export function statusFromV1(wire: StatusResponseEcu): EcuStatus {
  const inner = wire.status;
  const status = otaStatusFromWire(inner?.status ?? 0) ?? 'INITIALIZED';
  return {
    ecuId: wire.ecuId,
    firmwareVersion: capped(inner?.version ?? '', 'version'),
    otaclientVersion: '',
    release: undefined,
    status,
    failure: failureFromWire(
      status,
      failureTypeFromWire(inner?.failure ?? 0),
      inner?.failureReason ?? '',
      '',
    ),
    progress:
      status === 'UPDATING' ? progressFromV1(inner?.progress ?? create(StatusProgressSchema)) : undefined,
    waitingFor: [],
  };
}

/** The same status with what only the first generation tells apart: copied from linked files, and the finer steps. */
export function withV1Detail(status: EcuStatus, wire: StatusResponseEcu | undefined): EcuStatus {
  const { progress } = status;
  const detail = wire?.status?.progress;
  if (progress === undefined || detail === undefined) return status;
  const { step, copy, link, download } = progressFromV1(detail);
  const filesDone = (of: Pick<UpdateProgress, 'copy' | 'link' | 'download'>) =>
    of.copy.files + of.link.files + of.download.files;
  // A peer that fills this part with nothing would take away what the second generation says.
  if (filesDone({ copy, link, download }) < filesDone(progress)) return status;
  return { ...status, progress: { ...progress, step, copy, link, download } };
}

function progressFromV1(wire: StatusProgress): UpdateProgress {
  const work = (files: bigint, bytes: bigint, elapsed: StatusProgress['elapsedTimeCopy']): WorkDone => ({
    files: countFromWire(files),
    bytes: countFromWire(bytes),
    elapsedMs: millisFromWire(elapsed),
  });
  const step = progressPhaseFromWire(wire.phase);
  const elapsedMs = millisFromWire(wire.totalElapsedTime);
  const copy = work(wire.filesProcessedCopy, wire.fileSizeProcessedCopy, wire.elapsedTimeCopy);
  const link = work(wire.filesProcessedLink, wire.fileSizeProcessedLink, wire.elapsedTimeLink);
  const download = work(
    wire.filesProcessedDownload,
    wire.fileSizeProcessedDownload,
    wire.elapsedTimeDownload,
  );
  return {
    targetVersion: '',
    startedAt: 0,
    phase: phaseOfStep(step),
    step,
    totalFiles: countFromWire(wire.totalRegularFiles),
    totalBytes: countFromWire(wire.totalRegularFileSize),
    copy,
    link,
    download,
    filesToDownload: 0,
    bytesToDownload: 0,
    wireBytes: countFromWire(wire.downloadBytes),
    downloadErrors: countFromWire(wire.errorsDownload),
    filesToRemove: 0,
    filesRemoved: 0,
    elapsedMs,
    deltaMs: 0,
    downloadingMs: download.elapsedMs,
    applyingMs: copy.elapsedMs,
  };
}

/** An ECU needs the network up to REGULAR in this generation, and up to DOWNLOADING_OTA_FILES in the second. */
function phaseOfStep(step: ProgressPhase): UpdatePhase {
  switch (step) {
    case 'INITIAL':
      return 'INITIALIZING';
    case 'METADATA':
      return 'PROCESSING_METADATA';
    case 'DIRECTORY':
    case 'SYMLINK':
      return 'CALCULATING_DELTA';
    case 'REGULAR':
      return 'DOWNLOADING_OTA_FILES';
    case 'PERSISTENT':
      return 'APPLYING_UPDATE';
    case 'POST_PROCESSING':
      return 'PROCESSING_POSTUPDATE';
  }
}
