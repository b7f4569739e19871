import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import type { BlockDevice } from '#host/block-device.ts';
import type { SlotId } from './slots.ts';
import type { SlotNames, StatusMirror } from './status-files.ts';

/** What a boot loader's file is given. Everything it touches lies below these. */
export interface LoaderSetting {
  /** "/" of the running release. */
  readonly activeRoot: string;
  /** Whether this machine runs from there; else the disk is one that is worked on from outside. */
  readonly runsMachine: boolean;
  /** Where the running release sees its boot partition, usually `/boot`. */
  readonly bootDirectory: string;
  readonly options: DaemonOptions['boot'];
  /** Reboots with arguments for `reboot`; the configured reboot command wins and gets none. */
  readonly reboot: (args: readonly string[]) => Promise<void>;
  readonly log: Log;
}

/** The tree of the standby slot, complete, mounted writable. */
export interface SlotTree {
  readonly slot: SlotId;
  /** Where this process sees its "/". */
  readonly root: string;
  /** "/" of the running release, read only. */
  readonly activeRoot: string;
  /** Describes the file system as it is now. */
  readonly device: BlockDevice;
}

/** Where the status files of the slots lie. */
export type StatusPlace =
  /** On a file system that both slots see. */
  | { readonly kind: 'shared'; readonly directory: (slot: SlotId) => string }
  /** In each slot, at this path below its "/"; the other slot's can be read and written only while it is mounted. */
  | { readonly kind: 'in_slot'; readonly path: string };

/**
 * What one boot loader does for slots that are block devices; `block-control.ts` and `status-slots.ts` do all the rest.
 * One file each, listed in `loaders.ts`. Calls may be cut off by a power cut and made again; what they change is durable
 * and was read back when they return. Any error may be thrown; a BootError is shown as it is.
 */
export interface BootLoader {
  /** Name for people and for the `bootloader` field of `ecu_info.yml`. */
  readonly name: string;
  readonly booted: SlotId;
  /** The partitions of the slots, found by role and never by a device name that is written down. */
  readonly devices: Readonly<Record<SlotId, BlockDevice>>;
  readonly status: StatusPlace;
  /** What the status files of existing clients call the slots; absent where by their roles. */
  readonly slotNames?: SlotNames | undefined;
  /** Where else a slot's status files are kept in step, for older clients that share the boot partition. */
  statusMirror?(slot: SlotId): StatusMirror | undefined;
  /** Keeps the firmware from falling back to a slot whose tree is about to be written to; absent where it never would. */
  withhold?(slot: SlotId): Promise<void>;
  /**
   * Puts into the tree, and onto boot partitions, what booting it needs: kernel, initrd, fstab, menu. Must not change
   * what the running slot boots from.
   */
  install(tree: SlotTree): Promise<void>;
  /** Lets the next boot, and only that one, take `slot`; the default stays. */
  tryOnce(slot: SlotId): Promise<void>;
  /** Makes `slot` the default and forgets a one-shot choice. */
  makeDefault(slot: SlotId): Promise<void>;
  /** Forgets a one-shot choice; the default stays. */
  cancelTry(): Promise<void>;
  /** Returns once the reboot is under way. */
  reboot(): Promise<void>;
}

/** Why a loader was found to be the one of this machine, for people; undefined when it is not. */
export interface Detection {
  readonly reason: string;
}

/** One row of `loaders.ts`: all that it costs to add a boot loader besides its own file. */
export interface LoaderKind {
  readonly name: string;
  /** Looks and changes nothing. Errors: why a machine that could have this loader is not taken for one. */
  detect(setting: LoaderSetting): Promise<Detection | undefined>;
  /** Errors: BootError `startup_failed`, which says what is missing and how to mend it. */
  open(setting: LoaderSetting, role: 'daemon' | 'reader'): Promise<BootLoader>;
}
