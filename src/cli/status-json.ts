import type { UpdateProgress, WorkDone } from '#domain/progress.ts';
import type { EcuRow, VehicleState } from './vehicle-view.ts';

// The stable JSON of `ota status --json`, documented in docs/cli.md. Add keys; never rename or remove one. Every key is
// always there; what is not known is null.

interface WorkJson {
  readonly files: number;
  readonly bytes: number;
  readonly elapsed_ms: number;
}

interface ProgressJson {
  readonly target_version: string;
  readonly started_at: string | null;
  readonly phase: string;
  readonly step: string;
  readonly percent: number;
  readonly total_files: number;
  readonly total_bytes: number;
  readonly copy: WorkJson;
  readonly link: WorkJson;
  readonly download: WorkJson;
  readonly files_to_download: number;
  readonly bytes_to_download: number;
  readonly wire_bytes: number;
  readonly download_errors: number;
  readonly files_to_remove: number;
  readonly files_removed: number;
  readonly elapsed_ms: number;
  readonly bytes_per_second: number | null;
  readonly wire_bytes_per_second: number | null;
  readonly remaining_ms: number | null;
}

interface EcuJson {
  readonly ecu_id: string;
  readonly presence: EcuRow['presence'];
  readonly status: string | null;
  readonly firmware_version: string | null;
  readonly otaclient_version: string | null;
  readonly parent_ecu_id: string | null;
  readonly slot: string | null;
  readonly bootloader: string | null;
  readonly release: {
    readonly release_name: string;
    readonly release_id: string;
    readonly image_id: string;
  } | null;
  readonly failure: { readonly type: string; readonly reason: string; readonly traceback: string } | null;
  readonly progress: ProgressJson | null;
  readonly waiting_for: readonly string[];
  readonly health_probes: readonly {
    readonly name: string;
    readonly kind: string;
    readonly passes: boolean;
    readonly output: string;
  }[];
}

/** One line of `ota status --json`. */
export interface StatusJson {
  readonly type: 'status';
  readonly host: string;
  readonly time: string;
  readonly reachable: boolean;
  readonly error: string | null;
  readonly available_ecu_ids: readonly string[];
  readonly ecus: readonly EcuJson[];
}

function workJson(work: WorkDone): WorkJson {
  return { files: work.files, bytes: work.bytes, elapsed_ms: work.elapsedMs };
}

const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value);

/** First-generation peers do not say when an update started; a broken peer may say any number. */
function timeJson(ms: number): string | null {
  return ms > 0 && ms <= 8.64e15 ? new Date(ms).toISOString() : null;
}

function progressJson(progress: UpdateProgress, row: EcuRow): ProgressJson {
  return {
    target_version: progress.targetVersion,
    started_at: timeJson(progress.startedAt),
    phase: progress.phase,
    step: progress.step,
    percent: row.percent ?? 0,
    total_files: progress.totalFiles,
    total_bytes: progress.totalBytes,
    copy: workJson(progress.copy),
    link: workJson(progress.link),
    download: workJson(progress.download),
    files_to_download: progress.filesToDownload,
    bytes_to_download: progress.bytesToDownload,
    wire_bytes: progress.wireBytes,
    download_errors: progress.downloadErrors,
    files_to_remove: progress.filesToRemove,
    files_removed: progress.filesRemoved,
    elapsed_ms: progress.elapsedMs,
    bytes_per_second: rounded(row.bytesPerSecond),
    wire_bytes_per_second: rounded(row.wireBytesPerSecond),
    remaining_ms: rounded(row.remainingMs),
  };
}

function ecuJson(row: EcuRow): EcuJson {
  const { status } = row;
  const release = status?.release;
  return {
    ecu_id: row.ecuId,
    presence: row.presence,
    status: status?.status ?? null,
    firmware_version: status?.firmwareVersion ?? null,
    otaclient_version: status?.otaclientVersion ?? null,
    parent_ecu_id: status?.parentEcuId ?? null,
    slot: status?.slot ?? null,
    bootloader: status?.bootloader ?? null,
    release:
      release === undefined
        ? null
        : { release_name: release.releaseName, release_id: release.releaseId, image_id: release.imageId },
    failure: status?.failure === undefined ? null : { ...status.failure },
    progress: status?.progress === undefined ? null : progressJson(status.progress, row),
    waiting_for: status?.waitingFor ?? [],
    health_probes: (status?.healthProbes ?? []).map(({ name, kind, passes, output }) => ({
      name,
      kind,
      passes,
      output,
    })),
  };
}

/** A vehicle at `now` (Unix time in milliseconds) as `ota status --json` prints it. */
export function statusJson(state: VehicleState, host: string, now: number): StatusJson {
  return {
    type: 'status',
    host,
    time: new Date(now).toISOString(),
    reachable: state.lost === undefined,
    error: state.lost ?? null,
    available_ecu_ids: state.availableEcuIds,
    ecus: state.rows.map(ecuJson),
  };
}
