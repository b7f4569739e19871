import type { UpdateProgress } from '#domain/progress.ts';
import type { EcuStatus } from '#domain/status.ts';

/** A status with everything that a test does not care about filled in. */
export function ecuStatus(ecuId: string, fields: Partial<Omit<EcuStatus, 'ecuId'>> = {}): EcuStatus {
  return {
    ecuId,
    firmwareVersion: '1.0',
    otaclientVersion: '0.1.0',
    release: undefined,
    status: fields.progress === undefined ? 'SUCCESS' : 'UPDATING',
    failure: undefined,
    progress: undefined,
    waitingFor: [],
    ...fields,
  };
}

/** Progress of an update to 2.0 that has just been accepted, with the given fields. */
export function updateProgress(fields: Partial<UpdateProgress> = {}): UpdateProgress {
  const nothing = { files: 0, bytes: 0, elapsedMs: 0 };
  return {
    targetVersion: '2.0',
    startedAt: 1_700_000_000_000,
    phase: 'INITIALIZING',
    step: 'INITIAL',
    totalFiles: 0,
    totalBytes: 0,
    copy: nothing,
    link: nothing,
    download: nothing,
    filesToDownload: 0,
    bytesToDownload: 0,
    wireBytes: 0,
    downloadErrors: 0,
    filesToRemove: 0,
    filesRemoved: 0,
    elapsedMs: 0,
    deltaMs: 0,
    downloadingMs: 0,
    applyingMs: 0,
    ...fields,
  };
}
