import type { BlackBox } from './record.ts';

type Verdict = Pick<BlackBox, 'cause' | 'detail'>;

/** What an automatic return left behind for the old release to judge by. */
export interface Traces {
  /** What the new release itself, or the guard beside it, said. */
  readonly end: Verdict | undefined;
  /** Crash records that were not there before the switch. */
  readonly newCrashRecords: readonly string[];
  /** Hardware watchdogs that say that this boot is their doing. */
  readonly watchdogs: readonly string[];
  /** Boots in which the new release's daemon came up; undefined when it never told. */
  readonly boots: number | undefined;
  /** Points that the new release noted on its first boots. */
  readonly steps: readonly string[];
}

/** Noted by a release whose probes have all held once, on a boot loader that cannot let it boot once more. */
export const probesHeld = 'probes_held';

/** Why the ECU came back, as far as it can be told. The most certain witness comes first. */
export function deduceCause({ end, newCrashRecords, watchdogs, boots, steps }: Traces): Verdict {
  if (end !== undefined) return { cause: end.cause, detail: end.detail };
  if (newCrashRecords.length > 0) {
    const records =
      newCrashRecords.length === 1 ? 'a crash record' : `${newCrashRecords.length} crash records`;
    return { cause: 'kernel_crash', detail: `the kernel left ${records}` };
  }
  if (watchdogs.length > 0) {
    return { cause: 'watchdog_reset', detail: `${watchdogs.join(', ')} reset the machine` };
  }
  if (steps.at(-1) === 'rebooting') {
    return { cause: 'rebooted', detail: 'an orderly reboot was begun while it was on trial' };
  }
  if (steps.at(-1) === 'powering_off') return { cause: 'switched_off', detail: '' };
  if (steps.at(-1) === probesHeld && boots === 1) {
    const detail = 'its probes held, and this boot loader keeps no choice over a power cut';
    return { cause: 'switched_off', detail };
  }
  if (boots === undefined) return { cause: 'not_booted', detail: '' };
  if (boots > 1) return { cause: 'reboot_loop', detail: `it came up ${boots} times` };
  return { cause: 'cut_off', detail: '' };
}
