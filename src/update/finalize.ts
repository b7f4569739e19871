import type { Slots } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { FailureReport } from '#domain/status.ts';
import { failureOf } from './failure-of.ts';
import { reportOf } from './failure-report.ts';
import type { Journal } from './journal.ts';
import type { MachineStart, RestStatus } from './machine-parts.ts';
import type { Returns } from './returns.ts';
import { interrupted } from './returns.ts';

/** What this start of the daemon makes of the last one. */
export interface Finalized {
  readonly start: MachineStart;
  /** What was interrupted without changing the status, for the log. */
  readonly notice: string | undefined;
}

/**
 * Decides from the boot verdict where the machine starts, and records a switch that failed, with what is kept of it. The
 * journal decides nothing: it only lends the words for what was interrupted. Errors: BootError when the slots cannot be read.
 */
export async function finalizeStart(slots: Slots, journal: Journal, returns: Returns): Promise<Finalized> {
  const verdict = await slots.judge();
  if (verdict.kind === 'first_boot') {
    const { version } = await slots.current();
    return { start: { at: 'first_boot', of: verdict.of, version }, notice: undefined };
  }
  if (verdict.kind === 'fell_back') {
    const status = verdict.of === 'update' ? 'FAILURE' : 'ROLLBACK_FAILURE';
    return end(slots, journal, status, await returns.settled(verdict, journal.entry));
  }
  const status = restStatus(verdict.status);
  const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
  if (failed && verdict.failure === undefined) {
    const failure = journal.entry === undefined ? unrecorded() : interrupted(journal.entry);
    return end(slots, journal, status, reportOf(failure));
  }
  // Cut off before anything was touched: the last word still holds.
  const notice = journal.entry === undefined ? undefined : interrupted(journal.entry).detail;
  await journal.clear();
  return { start: { at: 'rest', status, failure: verdict.failure }, notice };
}

/** Recorded where it can be; shown in any case. */
async function end(
  slots: Slots,
  journal: Journal,
  status: 'FAILURE' | 'ROLLBACK_FAILURE',
  failure: FailureReport,
): Promise<Finalized> {
  try {
    await slots.record(status, failure);
    await journal.clear();
    return { start: { at: 'rest', status, failure }, notice: undefined };
  } catch (error) {
    const notice = `the failure could not be recorded: ${failureOf(error, 'unrecoverable').detail}`;
    return { start: { at: 'rest', status, failure }, notice };
  }
}

function unrecorded(): OtaFailure {
  return new OtaFailure('unspecific', 'the last job failed, and its reason was not recorded');
}

/** An ordinary verdict has no other words: the live ones are never on disk. */
function restStatus(status: string): RestStatus {
  const all: readonly RestStatus[] = ['SUCCESS', 'FAILURE', 'ROLLBACK_FAILURE', 'ABORTED'];
  return all.find((rest) => rest === status) ?? 'INITIALIZED';
}
