/**
 * Why a newly booted release was not kept. The first group is found by the daemon of that release, the second by the
 * guard beside it (`scripts/systemd/ota-trial`), which writes the word into a file.
 */
export const trialCauses = [
  /** A health probe failed, or did not come to pass in time. */
  'probe_failed',
  /** It was not decided within the limit for a first boot. */
  'not_decided',
  /** The machine restarted by itself and left the kernel's last words behind. */
  'kernel_crash',
  /** The hardware watchdog reset the machine. */
  'watchdog_reset',
  /** The release could not be made permanent. */
  'not_confirmed',

  /** The daemon crashed or hung again and again. */
  'daemon_failed',
  /** The system came up to emergency mode only. */
  'emergency_mode',
  /** The daemon did not decide, and perhaps never ran, within the guard's limit. */
  'guard_limit',
] as const;
export type TrialCause = (typeof trialCauses)[number];

/** How a health probe failed. */
export interface ProbeFailure {
  /** How it ended: `ended with exit code 1`. */
  readonly how: string;
  /** The last of what it said, or what this machine has of a network where nobody answered; may have many lines, and characters that a terminal must not get. */
  readonly output: string;
}

/** The health probe that failed. */
export interface FailedProbe extends ProbeFailure {
  readonly name: string;
  /** `command`, `unit`, `tcp`, `http`, `grpc` or `signal`. */
  readonly kind: string;
  /** What was probed: a command line, a unit, an address, a URL or a condition over signals. */
  readonly target: string;
}

/** How the trial of a newly booted release ended when it was not kept: what the black box wants to know. */
export interface TrialEnd {
  readonly cause: TrialCause;
  /** One line for people. */
  readonly detail: string;
  readonly probe: FailedProbe | undefined;
}
