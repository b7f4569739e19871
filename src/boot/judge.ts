import type { FailureReport } from '#domain/status.ts';
import type { BootVerdict, SlotId } from './slots.ts';
import { otherSlot } from './slots.ts';
import type { PersistedStatus } from './status-files.ts';

/** What the status files of one slot say; undefined and empty as in StatusFiles. */
export interface SlotWords {
  readonly status: PersistedStatus | undefined;
  readonly slotInUse: string;
  readonly failure: FailureReport | undefined;
}

/**
 * Judges this start by three things only: the slot that runs, the status words and `slot_in_use` of both slots.
 * More voters (boot loader tools, flag files) gave existing clients false verdicts.
 *
 * A switch in progress is UPDATING or ROLLBACKING in the slot that was switched to. The old slot says FAILURE or
 * ROLLBACK_FAILURE since before the switch, so that a failed one needs no code to be registered.
 */
export function judgeBoot(booted: SlotId, own: SlotWords, other: SlotWords): BootVerdict {
  const status = own.status ?? 'INITIALIZED';
  if (status === 'UPDATING' || status === 'ROLLBACKING') {
    const of = status === 'UPDATING' ? 'update' : 'rollback';
    const expected = own.slotInUse === '' || own.slotInUse === booted;
    return expected ? { kind: 'first_boot', of } : { kind: 'fell_back', of, failure: undefined };
  }
  const switching = other.slotInUse === otherSlot(booted);
  if (switching && status === 'FAILURE' && other.status === 'UPDATING') {
    return { kind: 'fell_back', of: 'update', failure: own.failure };
  }
  if (switching && status === 'ROLLBACK_FAILURE' && other.status === 'ROLLBACKING') {
    return { kind: 'fell_back', of: 'rollback', failure: own.failure };
  }
  const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
  return { kind: 'ordinary', status, failure: failed ? own.failure : undefined };
}
