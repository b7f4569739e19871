import type { AccessMode, SeenTree, SlotId, StandbyTree } from './slots.ts';
import type { SlotNames, StatusMirror } from './status-files.ts';

/**
 * What differs between boot loaders. `status-slots.ts` does everything else. Calls may be interrupted by a power cut and
 * made again; what they write is durable and was read back when they return. Any error may be thrown.
 */
export interface BootControl extends AsyncDisposable {
  /** Name for people and for the `bootloader` field of the ECU's configuration. */
  readonly name: string;
  /** The slot that runs. */
  readonly booted: SlotId;
  /** "/" of the slot that runs, as programs see it. */
  readonly activeRoot: string;
  /** What the status files call the slots; absent where by their roles. */
  readonly slotNames?: SlotNames | undefined;
  /** Where else a slot's status files are kept in step; absent where nowhere. */
  statusMirror?(slot: SlotId): StatusMirror | undefined;
  /** What the device of a slot is called: `PARTUUID=id`, `UUID=id`; absent where slots are no devices. */
  deviceNames?(slot: SlotId): readonly string[];
  /**
   * Where a slot's status files lie; mounts the slot in that mode where they lie inside it, until `letGo`. Undefined for
   * a slot whose file system cannot be mounted.
   */
  statusDirectory(slot: SlotId, mode: AccessMode): Promise<string | undefined>;
  /** Root of a slot's tree as it is; mounted in that mode if need be, until `letGo`. */
  reach(slot: SlotId, mode: AccessMode): Promise<string>;
  /** Writes back and unmounts whatever is mounted of the standby slot: a boot loader finds it clean. */
  letGo(): Promise<void>;
  /** Where an update works. Changes nothing, mounts nothing of the standby slot. */
  standbyTree(): Promise<StandbyTree>;
  /** Where an update would work, with what is there now to be read, until `letGo`. Changes nothing that the slot holds. */
  look(signal: AbortSignal): Promise<SeenTree>;
  /** Makes `root` and `work` exist, writable, on one file system. What they hold already is kept where it can be. */
  makeReady(tree: StandbyTree, signal: AbortSignal): Promise<void>;
  /** Removes `work`, puts into the tree what booting it needs, and makes its file system durable; it stays mounted. */
  seal(tree: StandbyTree): Promise<void>;
  /** After `letGo` of a sealed tree: it can be sealed once more. Absent where letting go takes nothing away. */
  reopen?(tree: StandbyTree): Promise<void>;
  /** Lets the next boot, and only that one, take `slot`; the default stays. */
  tryOnce(slot: SlotId): Promise<void>;
  /** Makes `slot` the default and forgets a one-shot choice. */
  makeDefault(slot: SlotId): Promise<void>;
  /** Forgets a one-shot choice; the default stays. */
  cancelTry(): Promise<void>;
  /** Returns once the reboot is under way. */
  reboot(): Promise<void>;
}
