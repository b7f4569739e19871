import { vehicleExitCodes as codes } from './vehicle-options.ts';

/** What every exit code of `ota` means: the one table that help, manual and docs/cli.md are made from. */
export const exitMeanings: readonly (readonly [code: string, meaning: string])[] = [
  [`${codes.ok}`, 'Done; accepted by every ECU; with `--wait`: every ECU ended well'],
  [`${codes.failed}`, 'Failed, or refused by at least one ECU'],
  [`${codes.usage}`, 'Called wrongly; nothing was sent'],
  [`${codes.unreachable}`, 'No daemon, or no console, answers, or it has only just started'],
  [
    `${codes.ecuFailed}`,
    'With `--wait`: an ECU that had accepted failed, or runs another version than the wanted one',
  ],
  [`${codes.timedOut}`, 'With `--wait`: not every ECU had ended when `--timeout` was over; the jobs go on'],
  [
    `${codes.blocked}`,
    'Kept back by the state of the vehicle only (E213): every refusing ECU said so, or waited for it in vain; try again later',
  ],
  [
    `${codes.cameBack}`,
    'With `--wait`: an ECU booted the new release and came back to the old one by itself (E211, E212)',
  ],
  [`${codes.aborted}`, 'With `--wait`: the job of an ECU was stopped by an abort'],
  [
    `${codes.notLetIn}`,
    'The console did not let the caller in: no token, an unknown one, or one that does not allow it',
  ],
  ['129, 130, 143', 'Stopped by a closed terminal, Ctrl-C, SIGTERM; a request that was sent goes on'],
  ['141', 'The reader of the output went away'],
];

/** Which code is taken when several hold. */
export const exitOrder: readonly number[] = [
  codes.usage,
  codes.unreachable,
  codes.ecuFailed,
  codes.cameBack,
  codes.aborted,
  codes.timedOut,
  codes.failed,
  codes.blocked,
  codes.ok,
];

/** The code that is taken when all of `held` hold; done when none does. */
export function gravest(held: readonly number[]): number {
  return exitOrder.find((code) => held.includes(code)) ?? codes.ok;
}
