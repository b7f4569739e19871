import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { countToWire, millisToWire } from '#api/wire.ts';
import type { WorkDone } from '#domain/progress.ts';
import type { Reachability, Registered } from '#ecu/census.ts';
import type { Outlook } from '#ecu/progress-outlook.ts';
import {
  type Ecu,
  EcuSchema,
  OtaState,
  UpdatePhase,
  Reachability as WireReachability,
} from '#gen/ota/console/v1/types_pb.ts';

const reachabilities: Readonly<Record<Reachability, WireReachability>> = {
  reachable: WireReachability.REACHABLE,
  silent: WireReachability.SILENT,
  never_seen: WireReachability.NEVER_SEEN,
};

/** One ECU as people see it. */
export function ecuToWire(registered: Registered, outlook: Outlook | undefined): Ecu {
  const { ecuId, parentEcuId = '', reachability, seenTime, status } = registered;
  return create(EcuSchema, {
    ecuId,
    parentEcuId,
    reachability: reachabilities[reachability],
    ...(seenTime === undefined ? {} : { lastSeenTime: timestampFromMs(seenTime) }),
    ...(status === undefined ? {} : statusToWire(status)),
    ...(outlook === undefined ? {} : { progress: progressToWire(outlook) }),
  });
}

function statusToWire(status: NonNullable<Registered['status']>) {
  const { failure, release } = status;
  return {
    state: OtaState[status.status],
    firmwareVersion: status.firmwareVersion,
    otaclientVersion: status.otaclientVersion,
    slot: status.slot ?? '',
    bootloader: status.bootloader ?? '',
    waitingFor: [...status.waitingFor],
    healthProbes: (status.healthProbes ?? []).map((probe) => ({ ...probe })),
    releaseName: release?.releaseName ?? '',
    releaseId: release?.releaseId ?? '',
    imageId: release?.imageId ?? '',
    ...(failure === undefined
      ? {}
      : {
          failure: {
            recoverable: failure.type === 'RECOVERABLE',
            code: /^E\d{3}/.exec(failure.reason)?.[0] ?? '',
            reason: failure.reason,
            traceback: failure.traceback,
            blackBoxId: blackBoxIn(failure.reason),
          },
        }),
  };
}

function progressToWire({ progress, percent, bytesPerSecond, remainingMs }: Outlook) {
  return {
    targetVersion: progress.targetVersion,
    ...(progress.startedAt > 0 ? { startTime: timestampFromMs(progress.startedAt) } : {}),
    phase: UpdatePhase[progress.phase],
    percent,
    total: { files: countToWire(progress.totalFiles), bytes: countToWire(progress.totalBytes) },
    copy: workToWire(progress.copy),
    link: workToWire(progress.link),
    download: workToWire(progress.download),
    toDownload: {
      files: countToWire(progress.filesToDownload),
      bytes: countToWire(progress.bytesToDownload),
    },
    wireBytes: countToWire(progress.wireBytes),
    downloadErrors: countToWire(progress.downloadErrors),
    elapsed: millisToWire(progress.elapsedMs),
    bytesPerSecond,
    ...(remainingMs === undefined ? {} : { remaining: millisToWire(remainingMs) }),
  };
}

function workToWire({ files, bytes, elapsedMs }: WorkDone) {
  return { files: countToWire(files), bytes: countToWire(bytes), elapsed: millisToWire(elapsedMs) };
}

/** Reasons name the black box in words, which existing peers pass on too. */
function blackBoxIn(reason: string): string {
  return /\(black box ([\dA-Za-z-]{1,64})\)/.exec(reason)?.[1] ?? '';
}
