import type { FailureReport } from '#domain/status.ts';
import { adoptSlots } from './adopt-slots.ts';
import type { BootControl } from './boot-control.ts';
import { asBootError, BootError, type BootErrorCode, wrapped } from './boot-error.ts';
import { judgeBoot } from './judge.ts';
import { letGoUnlessHeld } from './let-go.ts';
import { rollbackTarget, slotContents, slotWords, statusFilesOf } from './read-slot.ts';
import { SlotArchive } from './slot-archive.ts';
import type {
  AccessMode,
  BootVerdict,
  EndStatus,
  LastLook,
  SeenTree,
  SlotContents,
  SlotId,
  Slots,
  StagedRelease,
  StandbyTree,
} from './slots.ts';
import { otherSlot } from './slots.ts';
import type { StatusFiles } from './status-files.ts';

/**
 * Opens the status files of both slots. The daemon also mends them: a missing or unknown status becomes INITIALIZED.
 * A reader beside the daemon changes nothing. Errors: BootError `startup_failed`.
 */
export async function openStatusSlots(control: BootControl, role: 'daemon' | 'reader'): Promise<Slots> {
  const slots = new StatusSlots(control);
  try {
    if (role === 'daemon') await slots.mend();
    return slots;
  } catch (error) {
    await slots[Symbol.asyncDispose]();
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
  #last: Promise<unknown> = Promise.resolve();
  /** From `look` or `prepare` to `activate` or `record`: the standby slot stays mounted. */
  #inUse = false;
  #rebooting = false;

  constructor(control: BootControl) {
    this.bootloader = control.name;
    this.activeRoot = control.activeRoot;
    this.#control = control;
    this.#booted = control.booted;
  }

  /** A missing or unknown status becomes INITIALIZED; what ran before us can be gone back to. */
  async mend(): Promise<void> {
    const own = await this.#own('write');
    await own.open();
    const other = (mode: AccessMode) => this.#other(mode);
    await adoptSlots({ booted: this.#booted, activeRoot: this.activeRoot, own, other });
    const unknown = (await own.status()) === undefined;
    // Without its word, the name of the slot says nothing either.
    if (unknown || (await own.slotInUse()) === '') await own.setSlotInUse(this.#booted);
    if (unknown) await own.setStatus('INITIALIZED');
    await this.#nameDevice(own, this.#booted);
    await this.#control.letGo();
  }

  async current(): Promise<SlotContents> {
    return this.#contents(this.#booted, await this.#own('read'));
  }

  standby(): Promise<SlotContents> {
    return this.#inTurn(async () => this.#contents(otherSlot(this.#booted), await this.#other('read')));
  }

  look(signal: AbortSignal): Promise<SeenTree> {
    return this.#inTurn(async () => {
      const seen = await wrapped('prepare_failed', 'standby slot could not be looked at', () =>
        this.#control.look(signal),
      );
      this.#inUse = true;
      return seen;
    });
  }

  async judge(): Promise<BootVerdict> {
    return this.#inTurn(() =>
      wrapped('status_failed', 'status of the slots could not be read', async () =>
        judgeBoot(
          this.#booted,
          await slotWords(await this.#own('read')),
          await slotWords(await this.#other('read')),
        ),
      ),
    );
  }

  withStandbyRoot<T>(mode: AccessMode, use: (root: string) => Promise<T>): Promise<T> {
    return this.#inTurn(async () =>
      use(
        await wrapped('status_failed', 'standby slot could not be reached', () =>
          this.#control.reach(otherSlot(this.#booted), mode),
        ),
      ),
    );
  }

  withArchive<T>(
    of: 'current' | 'standby',
    mode: AccessMode,
    use: (archive: SlotArchive) => Promise<T>,
  ): Promise<T> {
    return this.#inTurn(async () => {
      const what = `what is kept beside the status of the ${of} slot could not be reached`;
      const files = await wrapped('status_failed', what, () =>
        of === 'current' ? this.#own(mode) : this.#otherOrFail(mode),
      );
      return use(new SlotArchive(files.directory));
    });
  }

  rearm(most: number): Promise<{ readonly armed: boolean; readonly times: number }> {
    return this.#change('switch_failed', `${this.#booted} could not be let boot once more`, async () => {
      const own = await this.#own('write');
      const status = await own.status();
      if (status !== 'UPDATING' && status !== 'ROLLBACKING') {
        throw new BootError(
          'switch_failed',
          `${this.#booted} is not on trial: its status is ${status ?? 'missing'}`,
        );
      }
      const before = await own.rearmed();
      if (before >= most) return { armed: false, times: before };
      await own.setRearmed(before + 1);
      await this.#control.tryOnce(this.#booted);
      return { armed: true, times: before + 1 };
    });
  }

  disarm(): Promise<void> {
    return this.#change('switch_failed', 'one-shot boot choice could not be taken back', () =>
      this.#control.cancelTry(),
    );
  }

  prepare(signal: AbortSignal): Promise<StandbyTree> {
    return this.#change('prepare_failed', 'standby slot could not be made ready', async () => {
      const own = await this.#own('write');
      const tree = await this.#control.standbyTree();
      signal.throwIfAborted();
      await own.setFailure(undefined);
      await own.setSlotInUse(tree.slot);
      await own.setStatus('FAILURE');
      signal.throwIfAborted();
      const other = await this.#other('write');
      // A file system that cannot be mounted says nothing about a release, and is made anew.
      if (other !== undefined) {
        await other.open();
        await other.setRecord({ state: 'written_to', imageDigest: '' });
        await other.clearRelease();
      }
      signal.throwIfAborted();
      this.#inUse = true;
      try {
        await this.#control.makeReady(tree, signal);
        await this.#rewriteRecord();
      } catch (error) {
        this.#inUse = false;
        throw error;
      }
      return tree;
    });
  }

  activate(tree: StandbyTree, release: StagedRelease, lastLook?: LastLook): Promise<void> {
    return this.#change('switch_failed', `boot choice could not be switched to ${tree.slot}`, async () => {
      await this.#control.seal(tree);
      const other = await this.#otherOrFail('write');
      // The image may have removed the directory from the slot.
      await other.open();
      await new SlotArchive((await this.#own('write')).directory).handOn(new SlotArchive(other.directory));
      await other.setRelease(release.version, release.detail);
      await other.setRecord({ state: 'staged', imageDigest: release.imageDigest });
      await other.setSlotInUse(tree.slot);
      await this.#nameDevice(other, tree.slot);
      await other.setStatus('UPDATING');
      await letGoUnlessHeld(this.#control, tree, lastLook);
      this.#inUse = false;
      await this.#control.tryOnce(tree.slot);
    });
  }

  confirm(): Promise<void> {
    return this.#change('confirm_failed', `${this.#booted} could not be made permanent`, async () => {
      const own = await this.#own('write');
      // First the boot choice: after a power cut in between, the slot comes up again and is confirmed again.
      await this.#control.makeDefault(this.#booted);
      const record = await own.record();
      await own.setRecord({ state: 'confirmed', imageDigest: record?.imageDigest ?? '' });
      await own.forgetTrial();
      await own.setFailure(undefined);
      await own.setSlotInUse(this.#booted);
      await own.setStatus('SUCCESS');
    });
  }

  giveUp(failure: FailureReport): Promise<void> {
    return this.#change('switch_failed', 'boot choice could not be set back', async () => {
      try {
        const own = await this.#own('write');
        const other = await this.#otherOrFail('write');
        await other.open();
        // Our own word stays UPDATING: a daemon that is started again in this slot judges, and gives up, once more.
        const rollback = (await own.status()) === 'ROLLBACKING';
        await other.setFailure(failure);
        await other.setStatus(rollback ? 'ROLLBACK_FAILURE' : 'FAILURE');
      } finally {
        // Room for words or not: the old slot says that it failed since before the switch.
        await this.#control.letGo().catch(() => {});
        await this.#control.makeDefault(otherSlot(this.#booted));
      }
    });
  }

  rollbackTarget(): Promise<SlotContents> {
    return this.#inTurn(() => this.#target());
  }

  rollBack(carry?: (root: string) => Promise<void>): Promise<void> {
    return this.#change('switch_failed', 'boot choice could not be switched back', async () => {
      const target = await this.#target();
      const [own, other] = [await this.#own('write'), await this.#otherOrFail('write')];
      await own.setFailure(undefined);
      await own.setSlotInUse(target.id);
      await own.setStatus('ROLLBACK_FAILURE');
      await other.forgetTrial();
      // Existing clients forgot this one, and took a good rollback for a failed one.
      await other.setSlotInUse(target.id);
      await other.setStatus('ROLLBACKING');
      if (carry !== undefined) await carry(await this.#control.reach(target.id, 'write'));
      await this.#control.letGo();
      await this.#control.tryOnce(target.id);
    });
  }

  record(status: EndStatus, failure: FailureReport | undefined): Promise<void> {
    return this.#change('status_failed', `${status} could not be recorded`, async () => {
      this.#inUse = false;
      const own = await this.#own('write');
      await this.#control.cancelTry();
      await own.setFailure(failure);
      await own.setStatus(status);
      // Last: as long as it says UPDATING or ROLLBACKING, a start finds out again that the switch failed.
      const other = await this.#other('write');
      const word = await other?.status();
      if (other === undefined || (word === undefined && (await other.record()) === undefined)) return;
      const failed = status === 'FAILURE' || status === 'ROLLBACK_FAILURE';
      if (failed || word === 'UPDATING' || word === 'ROLLBACKING') await other.setStatus('FAILURE');
    });
  }

  reboot(lastLook?: LastLook): Promise<void> {
    return this.#change('reboot_failed', 'reboot could not be started', async () => {
      lastLook?.();
      this.#rebooting = true;
      await this.#control.reboot().catch((error: unknown) => {
        this.#rebooting = false;
        throw error;
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    await this.#control[Symbol.asyncDispose]();
  }

  async #own(mode: AccessMode): Promise<StatusFiles> {
    const files = await statusFilesOf(this.#control, this.#booted, mode);
    if (files !== undefined) return files;
    throw new BootError('status_failed', `status of ${this.#booted} is out of reach`);
  }

  #other(mode: AccessMode): Promise<StatusFiles | undefined> {
    return statusFilesOf(this.#control, otherSlot(this.#booted), mode);
  }

  async #otherOrFail(mode: AccessMode): Promise<StatusFiles> {
    const other = await this.#other(mode);
    if (other !== undefined) return other;
    throw new BootError('status_failed', `${otherSlot(this.#booted)} cannot be mounted: update it`);
  }

  /** For the guard of trials, which finds out by itself which slot runs. */
  async #nameDevice(files: StatusFiles, slot: SlotId): Promise<void> {
    const names = this.#control.deviceNames?.(slot) ?? [];
    if (names.length > 0) await files.setDevice(names);
  }

  /** Making a slot ready may have formatted the one that the record lay in. */
  async #rewriteRecord(): Promise<void> {
    const other = await this.#otherOrFail('write');
    if ((await other.record()) !== undefined) return;
    await other.open();
    await other.setRecord({ state: 'written_to', imageDigest: '' });
  }

  async #target(): Promise<SlotContents> {
    return wrapped('status_failed', 'status of the standby slot could not be read', async () =>
      rollbackTarget(otherSlot(this.#booted), await this.#other('read')),
    );
  }

  async #contents(id: SlotId, files: StatusFiles | undefined): Promise<SlotContents> {
    return wrapped('status_failed', `status of ${id} could not be read`, () => slotContents(id, files));
  }

  /** No change after a reboot was started. */
  #change<T>(code: BootErrorCode, what: string, change: () => Promise<T>): Promise<T> {
    return this.#inTurn(() => {
      if (this.#rebooting) throw new BootError('rebooting', `${what}: a reboot is under way`);
      return wrapped(code, what, change);
    });
  }

  /** Changes and looks go one after the other: both may mount the standby slot. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      try {
        return await work();
      } finally {
        // What cannot be let go of now is tried again before it is needed; the control has logged it.
        if (!this.#inUse) await this.#control.letGo().catch(() => {});
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }
}
