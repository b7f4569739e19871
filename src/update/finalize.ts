import type { Slots } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { FailureReport } from '#domain/status.ts';
import { failureOf } from './failure-of.ts';
import { reportOf } from './failure-report.ts';
import type { Journal } from './journal.ts';
import type { MachineStart, RestStatus } from './machine-parts.ts';
import type { Returns } from './returns.ts';
import { interrupted } from './returns.ts';
import type { BackCarrier } from './rollback/back-carrier.ts';

/** What this start of the daemon makes of the last one. */
export interface Finalized {
  readonly start: MachineStart;
  /** What was interrupted without changing the status, for the log. */
  readonly notice: string | undefined;
}

export interface StartParts {
  readonly slots: Slots;
  readonly journal: Journal;
  readonly returns: Returns;
  readonly back: Pick<BackCarrier, 'undo' | 'settle'>;
}

/**
 * Decides from the boot verdict where the machine starts, and records a switch that failed, with what is kept of it. The
 * journal decides nothing: it only lends the words for what was interrupted. Errors: BootError when the slots cannot be read.
 */
export async function finalizeStart({ slots, journal, returns, back }: StartParts): Promise<Finalized> {
  const verdict = await slots.judge();
  if (verdict.kind === 'first_boot') {
    const { version } = await slots.current();
    return { start: { at: 'first_boot', of: verdict.of, version }, notice: undefined };
  }
  if (verdict.kind === 'fell_back') {
    const status = verdict.of === 'update' ? 'FAILURE' : 'ROLLBACK_FAILURE';
    const failure = await returns.settled(verdict, journal.entry);
    // As long as it is not recorded, the next start tries again.
    return end(status, failure, async () => {
      if (verdict.of === 'rollback') await back.undo();
      await slots.record(status, failure);
      await journal.clear();
    });
  }
  await back.settle();
  const status = restStatus(verdict.status);
  const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
  if (failed && verdict.failure === undefined) {
    const failure = reportOf(journal.entry === undefined ? unrecorded() : interrupted(journal.entry));
    return end(status, failure, async () => {
      await slots.record(status, failure);
      await journal.clear();
    });
  }
  // Cut off before anything was touched: the last word still holds.
  const notice = journal.entry === undefined ? undefined : interrupted(journal.entry).detail;
  await journal.clear();
  return { start: { at: 'rest', status, failure: verdict.failure }, notice };
}

/** Recorded where it can be; shown in any case. */
async function end(
  status: 'FAILURE' | 'ROLLBACK_FAILURE',
  failure: FailureReport,
  record: () => Promise<void>,
): Promise<Finalized> {
  try {
    await record();
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
