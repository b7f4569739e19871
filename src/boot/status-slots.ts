import type { FailureReport } from '#domain/status.ts';
import type { BootControl } from './boot-control.ts';
import type { BootErrorCode } from './boot-error.ts';
import { BootError } from './boot-error.ts';
import { judgeBoot } from './judge.ts';
import type {
  BootVerdict,
  EndStatus,
  SlotContents,
  SlotId,
  Slots,
  StagedRelease,
  StandbyTree,
} from './slots.ts';
import { otherSlot } from './slots.ts';
import { StatusFiles } from './status-files.ts';

/**
 * Opens the status files of both slots. The daemon also mends them: a missing or unknown status becomes INITIALIZED.
 * A reader beside the daemon changes nothing. Errors: BootError `startup_failed`.
 */
export async function openStatusSlots(control: BootControl, role: 'daemon' | 'reader'): Promise<Slots> {
  try {
    const own = new StatusFiles(await control.statusDirectory(control.booted), control.slotNames);
    const other = new StatusFiles(
      await control.statusDirectory(otherSlot(control.booted)),
      control.slotNames,
    );
    if (role === 'daemon') {
      await own.open();
      await other.open();
      if ((await own.slotInUse()) === '') await own.setSlotInUse(control.booted);
      if ((await own.status()) === undefined) await own.setStatus('INITIALIZED');
    }
    const { activeRoot } = await control.standbyTree();
    return new StatusSlots(control, own, other, activeRoot);
  } catch (error) {
    throw asBootError('startup_failed', `slots of boot control ${control.name} could not be opened`, error);
  }
}

/**
 * The order of durable writes that makes every switch safe, the same for all boot controls. Invariants:
 * - the running slot says FAILURE (ROLLBACK_FAILURE) before anything of a switch exists;
 * - the standby slot says UPDATING (ROLLBACKING) before the boot choice points to it;
 * - a failure report of the running slot is never older than its status word;
 * - a slot whose record is not `confirmed` is never gone back to.
 */
class StatusSlots implements Slots {
  readonly bootloader: string;
  readonly activeRoot: string;
  readonly #control: BootControl;
  readonly #booted: SlotId;
  readonly #own: StatusFiles;
  readonly #other: StatusFiles;
  #last: Promise<unknown> = Promise.resolve();
  #rebooting = false;

  constructor(control: BootControl, own: StatusFiles, other: StatusFiles, activeRoot: string) {
    this.bootloader = control.name;
    this.activeRoot = activeRoot;
    this.#control = control;
    this.#booted = control.booted;
    this.#own = own;
    this.#other = other;
  }

  current(): Promise<SlotContents> {
    return this.#contents(this.#booted, this.#own);
  }

  standby(): Promise<SlotContents> {
    return this.#contents(otherSlot(this.#booted), this.#other);
  }

  async look(): Promise<StandbyTree> {
    return wrapped('status_failed', 'standby slot could not be found', () => this.#control.standbyTree());
  }

  async judge(): Promise<BootVerdict> {
    return wrapped('status_failed', 'status of the slots could not be read', async () =>
      judgeBoot(this.#booted, await words(this.#own), await words(this.#other)),
    );
  }

  prepare(signal: AbortSignal): Promise<StandbyTree> {
    return this.#change('prepare_failed', 'standby slot could not be made ready', async () => {
      const tree = await this.#control.standbyTree();
      signal.throwIfAborted();
      await this.#own.setFailure(undefined);
      await this.#own.setSlotInUse(tree.slot);
      await this.#own.setStatus('FAILURE');
      signal.throwIfAborted();
      await this.#other.setRecord({ state: 'written_to', imageDigest: '' });
      await this.#other.clearRelease();
      signal.throwIfAborted();
      await this.#control.makeReady(tree, signal);
      return tree;
    });
  }

  activate(tree: StandbyTree, release: StagedRelease): Promise<void> {
    return this.#change('switch_failed', `boot choice could not be switched to ${tree.slot}`, async () => {
      await this.#control.seal(tree);
      await this.#other.setRelease(release.version, release.detail);
      await this.#other.setRecord({ state: 'staged', imageDigest: release.imageDigest });
      await this.#other.setSlotInUse(tree.slot);
      await this.#other.setStatus('UPDATING');
      await this.#control.tryOnce(tree.slot);
    });
  }

  confirm(): Promise<void> {
    return this.#change('confirm_failed', `${this.#booted} could not be made permanent`, async () => {
      // First the boot choice: after a power cut in between, the slot comes up again and is confirmed again.
      await this.#control.makeDefault(this.#booted);
      const record = await this.#own.record();
      await this.#own.setRecord({ state: 'confirmed', imageDigest: record?.imageDigest ?? '' });
      await this.#own.setFailure(undefined);
      await this.#own.setSlotInUse(this.#booted);
      await this.#own.setStatus('SUCCESS');
    });
  }

  giveUp(failure: FailureReport): Promise<void> {
    return this.#change('switch_failed', 'boot choice could not be set back', async () => {
      // Our own word stays UPDATING: a daemon that is started again in this slot judges, and gives up, once more.
      const rollback = (await this.#own.status()) === 'ROLLBACKING';
      await this.#other.setFailure(failure);
      await this.#other.setStatus(rollback ? 'ROLLBACK_FAILURE' : 'FAILURE');
      await this.#control.makeDefault(otherSlot(this.#booted));
    });
  }

  async rollbackTarget(): Promise<SlotContents> {
    return wrapped('status_failed', 'status of the standby slot could not be read', async () => {
      const slot = otherSlot(this.#booted);
      const record = await this.#other.record();
      if (record === undefined) throw refused(`${slot} never held a release`);
      if (record.state === 'written_to') throw refused(`${slot} has been written to by an update since`);
      if (record.state === 'staged') throw refused(`the release in ${slot} was never confirmed`);
      return this.standby();
    });
  }

  rollBack(): Promise<void> {
    return this.#change('switch_failed', 'boot choice could not be switched back', async () => {
      const target = await this.rollbackTarget();
      await this.#own.setFailure(undefined);
      await this.#own.setSlotInUse(target.id);
      await this.#own.setStatus('ROLLBACK_FAILURE');
      // Existing clients forgot this one, and took a good rollback for a failed one.
      await this.#other.setSlotInUse(target.id);
      await this.#other.setStatus('ROLLBACKING');
      await this.#control.tryOnce(target.id);
    });
  }

  record(status: EndStatus, failure: FailureReport | undefined): Promise<void> {
    return this.#change('status_failed', `${status} could not be recorded`, async () => {
      await this.#control.cancelTry();
      await this.#own.setFailure(failure);
      await this.#own.setStatus(status);
      // Last: as long as it says UPDATING or ROLLBACKING, a start finds out again that the switch failed.
      const other = await this.#other.status();
      if (other === undefined) return;
      const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
      if (failed || other === 'UPDATING' || other === 'ROLLBACKING') await this.#other.setStatus('FAILURE');
    });
  }

  async reboot(): Promise<void> {
    await this.#change('reboot_failed', 'reboot could not be started', async () => {
      this.#rebooting = true;
      try {
        await this.#control.reboot();
      } catch (error) {
        this.#rebooting = false;
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    await this.#control[Symbol.asyncDispose]();
  }

  async #contents(id: SlotId, files: StatusFiles): Promise<SlotContents> {
    return wrapped('status_failed', `status of ${id} could not be read`, async () => {
      const record = await files.record();
      return {
        id,
        version: await files.version(),
        detail: await files.detail(),
        imageDigest: record?.imageDigest ?? '',
        intact: record?.state === 'confirmed',
      };
    });
  }

  /** Changes go one after the other, and none after a reboot was started. */
  #change<T>(code: BootErrorCode, what: string, change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#rebooting) throw new BootError('rebooting', `${what}: a reboot is under way`);
      return wrapped(code, what, change);
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

async function words(files: StatusFiles): Promise<Parameters<typeof judgeBoot>[1]> {
  return {
    status: await files.status(),
    slotInUse: await files.slotInUse(),
    failure: await files.failure(),
  };
}

function refused(why: string): BootError {
  return new BootError('rollback_refused', `there is no release to go back to: ${why}`);
}

/** Aborts stay what they are; everything else becomes a BootError with its cause. */
async function wrapped<T>(code: BootErrorCode, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw asBootError(code, what, error);
  }
}

function asBootError(code: BootErrorCode, what: string, error: unknown): BootError {
  if (error instanceof BootError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new BootError(code, `${what}: ${why}`, { cause: error });
}
