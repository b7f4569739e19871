import type { Slots } from '#boot/slots.ts';
import type { Log } from '#domain/log.ts';
import { carryBack, forgetCarryBack, undoCarryBack } from './carry-back.ts';

export interface BackCarrierParts {
  readonly slots: Pick<Slots, 'activeRoot' | 'withStandbyRoot'>;
  /** `persist.back_on_rollback`. */
  readonly paths: readonly string[];
  readonly log: Log;
}

/** Carries files back with a rollback, and settles what is left of it when the rollback has succeeded or failed. */
export class BackCarrier {
  readonly #parts: BackCarrierParts;

  constructor(parts: BackCarrierParts) {
    this.#parts = parts;
  }

  /** For `Slots.rollBack`; undefined when there is nothing to carry. Errors of the call: OtaFailure. */
  get intoOldRelease(): ((root: string) => Promise<void>) | undefined {
    const { slots, paths } = this.#parts;
    if (paths.length === 0) return undefined;
    return (root) => carryBack({ paths, activeRoot: slots.activeRoot, root });
  }

  /** The rollback failed: the release in the standby slot gets its own files back. Errors: those of the slots and files. */
  async undo(): Promise<void> {
    await this.#parts.slots.withStandbyRoot('write', undoCarryBack);
  }

  /** The running release stays: what it had before the rollback to it is let go of. Never fails; the next start tries again. */
  async settle(): Promise<void> {
    const { slots, log } = this.#parts;
    try {
      await forgetCarryBack(slots.activeRoot);
    } catch (error) {
      log.warn({ err: error }, 'what a rollback had replaced could not be removed');
    }
  }
}
