import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';
import { withoutSeen } from '#domain/condition-words.ts';
import type { EcuStatus } from '#domain/status.ts';

/** One leaf of our overlay `Vehicle.OTA`, below the branch of an ECU. */
export interface OverlaySignal {
  /** Behind `Vehicle.OTA.ECU.<Name>.` */
  readonly name: string;
  readonly type: 'sensor' | 'attribute';
  readonly datatype: VssDatatype;
  readonly unit?: string;
  readonly description: string;
  /** Undefined when there is no value: then nothing is published. */
  readonly of: (status: EcuStatus) => VssValue | undefined;
}

/** Root of the branches of all ECUs. */
export const ecuRoot = 'Vehicle.OTA.ECU';

function percent({ progress, status }: EcuStatus): number | undefined {
  if (status === 'SUCCESS') return 100;
  if (progress === undefined || progress.totalBytes === 0) return undefined;
  const { copy, link, download, totalBytes } = progress;
  // 100 is for an update that is confirmed.
  return Math.min(99, Math.floor((100 * (copy.bytes + link.bytes + download.bytes)) / totalBytes));
}

/** What is known of an update, as signals. Bytes are `uint64` without a unit: the catalog has none for them. */
export const overlaySignals: readonly OverlaySignal[] = [
  leaf('EcuId', 'attribute', 'string', 'Name of the ECU in ecu_info.yml.', (s) => s.ecuId),
  leaf('ClientVersion', 'attribute', 'string', 'Version of the OTA client.', (s) => s.otaclientVersion),
  leaf('State', 'sensor', 'string', 'State of the OTA client, such as UPDATING or SUCCESS.', (s) => s.status),
  leaf('CurrentVersion', 'sensor', 'string', 'Version of the release that runs.', (s) => s.firmwareVersion),
  leaf(
    'TargetVersion',
    'sensor',
    'string',
    'Version that an update is bringing.',
    (s) => s.progress?.targetVersion,
  ),
  leaf('Phase', 'sensor', 'string', 'Phase of the running update.', (s) => s.progress?.phase),
  leaf(
    'Progress',
    'sensor',
    'uint8',
    'Part of the bytes that are placed; 100 once confirmed.',
    percent,
    'percent',
  ),
  leaf('TotalBytes', 'sensor', 'uint64', 'Bytes of all files of the release.', (s) =>
    big(s.progress?.totalBytes),
  ),
  leaf('TotalFiles', 'sensor', 'uint32', 'Files of the release.', (s) => s.progress?.totalFiles),
  leaf('CopiedFiles', 'sensor', 'uint32', 'Files that were copied.', (s) => s.progress?.copy.files),
  leaf('CopiedBytes', 'sensor', 'uint64', 'Bytes that were copied.', (s) => big(s.progress?.copy.bytes)),
  leaf(
    'CopyTime',
    'sensor',
    'uint32',
    'Time in which files were copied.',
    (s) => whole(s.progress?.copy.elapsedMs),
    'ms',
  ),
  leaf('LinkedFiles', 'sensor', 'uint32', 'Files that were hard-linked.', (s) => s.progress?.link.files),
  leaf('LinkedBytes', 'sensor', 'uint64', 'Bytes that were hard-linked.', (s) => big(s.progress?.link.bytes)),
  leaf(
    'LinkTime',
    'sensor',
    'uint32',
    'Time in which files were linked.',
    (s) => whole(s.progress?.link.elapsedMs),
    'ms',
  ),
  leaf(
    'DownloadedFiles',
    'sensor',
    'uint32',
    'Files that were downloaded.',
    (s) => s.progress?.download.files,
  ),
  leaf('DownloadedBytes', 'sensor', 'uint64', 'Bytes of files that were downloaded.', (s) =>
    big(s.progress?.download.bytes),
  ),
  leaf(
    'DownloadTime',
    'sensor',
    'uint32',
    'Time in which files were downloaded.',
    (s) => whole(s.progress?.download.elapsedMs),
    'ms',
  ),
  leaf('ReceivedBytes', 'sensor', 'uint64', 'Bytes that came over the network.', (s) =>
    big(s.progress?.wireBytes),
  ),
  leaf(
    'DownloadErrors',
    'sensor',
    'uint32',
    'Failed attempts to download.',
    (s) => s.progress?.downloadErrors,
  ),
  leaf(
    'UpdateTime',
    'sensor',
    'uint32',
    'Time since the update was accepted.',
    (s) => whole(s.progress?.elapsedMs),
    'ms',
  ),
  leaf(
    'DeltaTime',
    'sensor',
    'uint32',
    'Time in which the release was compared with what is there.',
    (s) => whole(s.progress?.deltaMs),
    'ms',
  ),
  leaf(
    'ApplyingTime',
    'sensor',
    'uint32',
    'Time in which the release was put into its slot.',
    (s) => whole(s.progress?.applyingMs),
    'ms',
  ),
  leaf(
    'NeededFiles',
    'sensor',
    'uint32',
    'Files that have to be downloaded.',
    (s) => s.progress?.filesToDownload,
  ),
  leaf('NeededBytes', 'sensor', 'uint64', 'Bytes of files that have to be downloaded.', (s) =>
    big(s.progress?.bytesToDownload),
  ),
  leaf(
    'RemovedFiles',
    'sensor',
    'uint32',
    'Files of the slot that were removed.',
    (s) => s.progress?.filesRemoved,
  ),
  leaf(
    'Started',
    'sensor',
    'int64',
    'When the update was accepted.',
    (s) => (s.progress === undefined ? undefined : BigInt(Math.floor(s.progress.startedAt / 1000))),
    'unix-time',
  ),
  leaf('Slot', 'sensor', 'string', 'Slot that runs, such as slot_a.', (s) => s.slot),
  leaf('Bootloader', 'attribute', 'string', 'How slots are switched, such as grub.', (s) => s.bootloader),
  leaf(
    'IsUpdateBlocked',
    'sensor',
    'boolean',
    'Whether conditions of the vehicle keep an update from starting or from going on.',
    (s) => s.waitingFor.length > 0,
  ),
  leaf('BlockReasons', 'sensor', 'string[]', 'Conditions of the vehicle that are not fulfilled.', (s) =>
    s.waitingFor.map(withoutSeen),
  ),
  leaf('FailureType', 'sensor', 'string', 'Whether a failure is RECOVERABLE.', (s) => s.failure?.type),
  leaf(
    'FailureCode',
    'sensor',
    'string',
    'Code of a failure, E and three digits.',
    (s) => /^E\d{3}(?=:)/.exec(s.failure?.reason ?? '')?.[0],
  ),
  leaf(
    'FailureReason',
    'sensor',
    'string',
    'Why the last job failed, and what to do.',
    (s) => s.failure?.reason,
  ),
];

function leaf(
  name: string,
  type: OverlaySignal['type'],
  datatype: VssDatatype,
  description: string,
  of: OverlaySignal['of'],
  unit?: string,
): OverlaySignal {
  return { name, type, datatype, description, of, ...(unit === undefined ? {} : { unit }) };
}

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value);
}
