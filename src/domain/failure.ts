/** Whether something failed, and whether trying again can help. */
export type FailureType = 'NO_FAILURE' | 'RECOVERABLE' | 'UNRECOVERABLE';

interface FailureKind {
  /** The three digits behind the E. Numbers in use by existing clients keep their meaning. */
  readonly number: number;
  readonly type: Exclude<FailureType, 'NO_FAILURE'>;
  readonly what: string;
  /** What the reader can do about it. */
  readonly mend: string;
}

/** The closed table of failures of an update or rollback. Documented in docs/operations.md. */
export const failureKinds = {
  unspecific: {
    number: 0,
    type: 'RECOVERABLE',
    what: 'unexpected failure',
    mend: 'try again, and report it with the log if it comes back',
  },
  network: {
    number: 100,
    type: 'RECOVERABLE',
    what: 'download failed',
    mend: 'check the connection to the image server and try again',
  },
  metadata_download: {
    number: 101,
    type: 'RECOVERABLE',
    what: 'image metadata could not be downloaded',
    mend: 'check the connection to the image server and try again',
  },
  busy: { number: 201, type: 'RECOVERABLE', what: 'busy', mend: 'wait until the running job has ended' },
  rollback_refused: {
    number: 202,
    type: 'RECOVERABLE',
    what: 'rollback is not possible now',
    mend: 'install the wanted release with an update',
  },
  image_invalid: {
    number: 203,
    type: 'RECOVERABLE',
    what: 'image is missing or invalid',
    mend: 'check the URL, or publish the image again',
  },
  cookies_rejected: {
    number: 204,
    type: 'RECOVERABLE',
    what: 'image server refused access',
    mend: 'send a new request with fresh cookies',
  },
  client_update_unsupported: {
    number: 206,
    type: 'RECOVERABLE',
    what: 'this ECU cannot replace its OTA client by request',
    mend: 'go on with Update',
  },
  aborted: { number: 207, type: 'RECOVERABLE', what: 'stopped on request', mend: 'send the update again' },
  release_unsuitable: {
    number: 208,
    type: 'RECOVERABLE',
    what: 'release does not fit this ECU',
    mend: 'install a release that was built for it',
  },
  interrupted: {
    number: 210,
    type: 'RECOVERABLE',
    what: 'interrupted by a restart or a power cut',
    mend: 'send the same update again; what is already there is not downloaded again',
  },
  health_check_failed: {
    number: 211,
    type: 'RECOVERABLE',
    what: 'new release did not become healthy and the old one was booted again',
    mend: 'look at the failing check, and publish a corrected release',
  },
  fell_back: {
    number: 212,
    type: 'RECOVERABLE',
    what: 'new release did not come up and the old one was booted again',
    mend: 'look at its black box with `ota blackbox show`, and publish a corrected one',
  },
  vehicle_state: {
    number: 213,
    type: 'RECOVERABLE',
    what: 'the vehicle is not in a state for this',
    mend: 'bring it into the state that is asked for, and try again',
  },
  unrecoverable: {
    number: 300,
    type: 'UNRECOVERABLE',
    what: 'unexpected failure of the system',
    mend: 'contact technical support with the log',
  },
  boot_control_startup: {
    number: 302,
    type: 'UNRECOVERABLE',
    what: 'boot control could not be started',
    mend: 'check the slots and the boot loader of this ECU',
  },
  boot_control_prepare: {
    number: 303,
    type: 'UNRECOVERABLE',
    what: 'standby slot could not be made ready',
    mend: 'check the standby slot of this ECU',
  },
  boot_control_activate: {
    number: 304,
    type: 'UNRECOVERABLE',
    what: 'boot choice could not be switched',
    mend: 'check the boot loader of this ECU; it still boots the old release',
  },
  rollback_failed: {
    number: 305,
    type: 'UNRECOVERABLE',
    what: 'rollback failed',
    mend: 'check the slots of this ECU; it runs the release it had before',
  },
  standby_slot_full: {
    number: 307,
    type: 'UNRECOVERABLE',
    what: 'standby slot is too small',
    mend: 'use a smaller image or a larger slot',
  },
  request_invalid: {
    number: 308,
    type: 'UNRECOVERABLE',
    what: 'update request is invalid',
    mend: 'correct the request',
  },
  image_untrusted: {
    number: 309,
    type: 'UNRECOVERABLE',
    what: 'image signature is not trusted',
    mend: 'sign the image with a certificate that chains to a root installed on this ECU',
  },
  image_refused: {
    number: 310,
    type: 'UNRECOVERABLE',
    what: 'image metadata is refused',
    mend: 'rebuild the image with a correct generator',
  },
  inventory: {
    number: 312,
    type: 'UNRECOVERABLE',
    what: 'slots could not be compared with the image',
    mend: 'check the file systems of this ECU',
  },
  placing: {
    number: 313,
    type: 'UNRECOVERABLE',
    what: 'standby slot could not be built',
    mend: 'check the file system of the standby slot',
  },
  configuration_invalid: {
    number: 316,
    type: 'UNRECOVERABLE',
    what: 'configuration of this ECU is broken',
    mend: 'correct the named file and restart the daemon',
  },
  quarantined: {
    number: 320,
    type: 'UNRECOVERABLE',
    what: 'release is quarantined on this ECU',
    mend: 'publish a corrected release, or install this one all the same with `ota update --force`',
  },
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof failureKinds;

/** `E` and the three digits of a failure, as existing tools know it. */
function failureNumber(code: FailureCode): string {
  return `E${String(failureKinds[code].number).padStart(3, '0')}`;
}

/**
 * A failure of an update, rollback or request on this ECU. The only error that reaches status and answers; every
 * other error becomes one of these at the edge of the update engine, with the original as `cause`.
 */
export class OtaFailure extends Error {
  override readonly name = 'OtaFailure';
  readonly code: FailureCode;
  /** What went wrong here, without secrets. */
  readonly detail: string;

  constructor(code: FailureCode, detail: string, options?: { readonly cause?: unknown }) {
    const kind: FailureKind = failureKinds[code];
    super(`${failureNumber(code)}: ${kind.what}: ${detail}; ${kind.mend}`, options);
    this.code = code;
    this.detail = detail;
  }

  get type(): Exclude<FailureType, 'NO_FAILURE'> {
    return failureKinds[this.code].type;
  }

  /** `E<3 digits>: what: why; what to do`. */
  get reason(): string {
    return this.message;
  }
}
