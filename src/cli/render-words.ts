import type { FailureType } from '#domain/failure.ts';
import { failureKinds } from '#domain/failure.ts';
import type { UpdatePhase } from '#domain/phase.ts';
import type { EcuStatus, OtaStatus } from '#domain/status.ts';
import type { Paint } from './render-style.ts';
import type { EcuRow } from './vehicle-view.ts';

const phaseWords: Readonly<Record<UpdatePhase, string>> = {
  INITIALIZING: 'starting',
  PROCESSING_METADATA: 'reading metadata',
  CALCULATING_DELTA: 'comparing',
  DOWNLOADING_OTA_FILES: 'downloading',
  APPLYING_UPDATE: 'applying',
  PROCESSING_POSTUPDATE: 'post-processing',
  FINALIZING_UPDATE: 'finalizing',
  DOWNLOADING_OTA_CLIENT: 'downloading client',
};

const statusPaints: Readonly<Record<OtaStatus, Paint>> = {
  INITIALIZED: 'dim',
  SUCCESS: 'green',
  FAILURE: 'red',
  UPDATING: 'cyan',
  ROLLBACKING: 'cyan',
  ROLLBACK_FAILURE: 'red',
  CLIENT_UPDATING: 'cyan',
  ABORTING: 'yellow',
  ABORTED: 'yellow',
};

/** A phase in words. */
export function phaseWord(phase: UpdatePhase): string {
  return phaseWords[phase];
}

/** What stands in the status column of a row, and its colour. */
export function statusWord(row: EcuRow): { readonly text: string; readonly paint: Paint } {
  if (row.status === undefined) return { text: 'no report yet', paint: 'dim' };
  if (row.presence === 'silent') return { text: `silent, was ${row.status.status}`, paint: 'yellow' };
  return { text: row.status.status, paint: statusPaints[row.status.status] };
}

/** Whether an ECU's last job failed. */
export function isFailed(status: EcuStatus | undefined): boolean {
  return status?.status === 'FAILURE' || status?.status === 'ROLLBACK_FAILURE';
}

const typeAdvice: Readonly<Record<FailureType, string>> = {
  NO_FAILURE: '',
  RECOVERABLE: 'send the request again',
  UNRECOVERABLE: 'mend the cause before the request is sent again',
};

/**
 * What to do about a failure, unless its reason says so already. A reason's E-number is looked up in our table; peers
 * that use other numbers get the advice that belongs to the failure's type.
 */
export function adviceFor(type: FailureType, reason: string): string {
  const number = /^E(\d{1,4})\b/.exec(reason)?.[1];
  const kind =
    number === undefined
      ? undefined
      : Object.values(failureKinds).find((one) => one.number === Number(number));
  const advice = kind?.mend ?? typeAdvice[type];
  return reason.includes(advice) ? '' : advice;
}
