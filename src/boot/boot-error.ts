import { OtaFailure } from '#domain/failure.ts';

/** Why a slot or the boot choice could not be read or changed. Closed. */
export type BootErrorCode =
  /** The boot control cannot work on this machine, or what it keeps on disk is unreadable. */
  | 'startup_failed'
  /** The standby slot could not be made ready. */
  | 'prepare_failed'
  /** The boot choice could not be switched, or did not read back as written. */
  | 'switch_failed'
  /** The release in the standby slot cannot run on this ECU as it is. */
  | 'release_refused'
  /** There is no release to go back to. */
  | 'rollback_refused'
  /** The running release could not be made permanent. */
  | 'confirm_failed'
  /** What a slot is could not be recorded or read. */
  | 'status_failed'
  /** The reboot could not be started. */
  | 'reboot_failed'
  /** A reboot is under way: nothing may change any more. */
  | 'rebooting';

/** A slot, its status or the boot choice. The message says what was tried and what is wrong. */
export class BootError extends Error {
  override readonly name = 'BootError';
  readonly code: BootErrorCode;

  constructor(code: BootErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Runs `work`. Aborts stay what they are; every other error becomes a BootError with its cause. */
export async function wrapped<T>(code: BootErrorCode, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    // What a caller's own work failed with says it all.
    if (error instanceof OtaFailure) throw error;
    throw asBootError(code, what, error);
  }
}

export function asBootError(code: BootErrorCode, what: string, error: unknown): BootError {
  if (error instanceof BootError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new BootError(code, `${what}: ${why}`, { cause: error });
}
