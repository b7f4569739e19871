import type { ReleaseDetail } from '#domain/release.ts';
import type { FailureReport, OtaStatus } from '#domain/status.ts';
import type { SlotArchive } from './slot-archive.ts';

/** Names of slots are roles, never device names, so that they survive a re-enumeration of disks. */
export const slotIds = ['slot_a', 'slot_b'] as const;
export type SlotId = (typeof slotIds)[number];

export function otherSlot(slot: SlotId): SlotId {
  return slot === 'slot_a' ? 'slot_b' : 'slot_a';
}

/** Whether a slot's tree is only read or also written. */
export type AccessMode = 'read' | 'write';

/** What one slot holds. */
export interface SlotContents {
  readonly id: SlotId;
  /** Version of the release in it; empty when none. */
  readonly version: string;
  readonly detail: ReleaseDetail | undefined;
  /** Digest of the signed description of the image in it; empty when unknown. */
  readonly imageDigest: string;
  /** Whether it holds a whole release that was confirmed once and was not written to since: one to go back to. */
  readonly intact: boolean;
}

/** The directories an update works with. All lie on this machine; `root` and `work` on the same file system. */
export interface StandbyTree {
  readonly slot: SlotId;
  /** Where the image's "/" goes. */
  readonly root: string;
  /** Ours for the time of the update, gone before the slot is activated; it survives an interruption. */
  readonly work: string;
  /** "/" of the active slot, only read. */
  readonly activeRoot: string;
  /** Names at the top of `root` that are not of the release: neither removed nor taken for a difference. */
  readonly reserved: readonly string[];
}

/** A standby slot before it is made ready: `root` holds what would be kept there. */
export interface SeenTree extends StandbyTree {
  /** What its file system has room for when empty; undefined where what `root` lies on now tells that. */
  readonly fresh?: FreshSpace | undefined;
  /** Bytes that activating it adds to the release. */
  readonly addedBytes?: number;
}

export interface FreshSpace {
  /** As statfs(2) tells: the number of the file system's type. */
  readonly type: number;
  readonly blockBytes: number;
  readonly bytes: number;
  /** Undefined when the file system makes inodes as it goes. */
  readonly inodes: number | undefined;
}

/** A switch of the boot choice is made by an update or by a rollback. */
export type SwitchKind = 'update' | 'rollback';

/** What the start of the daemon was. */
export type BootVerdict =
  /** An ordinary start. */
  | { readonly kind: 'ordinary'; readonly status: OtaStatus; readonly failure: FailureReport | undefined }
  /** The first start after a switch, in the slot that was switched to: to be confirmed or given up. */
  | { readonly kind: 'first_boot'; readonly of: SwitchKind }
  /** A switch was made, but this is the old slot; `failure` is what the other slot left when it gave up, if it did. */
  | { readonly kind: 'fell_back'; readonly of: SwitchKind; readonly failure: FailureReport | undefined };

/** The release that an update put into the standby slot. */
export interface StagedRelease {
  readonly version: string;
  readonly detail: ReleaseDetail | undefined;
  /** Digest of the image's signed description. */
  readonly imageDigest: string;
}

/** Called right before what changes the next boot, or ends this one: throws an OtaFailure to prevent it. */
export type LastLook = () => void;

/** How a job ended that did not lead to a switch. */
export type EndStatus = 'SUCCESS' | 'FAILURE' | 'ROLLBACK_FAILURE' | 'ABORTED';

/**
 * The two slots of one ECU and the choice between them. `status-slots.ts` implements it once over a BootControl; each
 * boot control has its own file.
 *
 * Every call may be interrupted by a power cut and made again. What is written is durable when a call returns.
 * Closing lets go of what `prepare` opened (mounts). Errors: BootError.
 */
export interface Slots extends AsyncDisposable {
  /** Name of the boot control, for people. */
  readonly bootloader: string;
  /** "/" of the slot that runs. */
  readonly activeRoot: string;
  current(): Promise<SlotContents>;
  standby(): Promise<SlotContents>;
  /**
   * Where an update would work, until `prepare`, `record` or closing. Changes nothing that the slot holds; `root` and
   * `work` need not exist yet.
   */
  look(signal: AbortSignal): Promise<SeenTree>;
  /** What this start of the daemon is. Changes nothing. */
  judge(): Promise<BootVerdict>;
  /**
   * Marks the standby slot as written to and the current one as FAILURE ("fail by default": whatever happens from here
   * to the confirmation, no code has to run to register a failed update), then makes the standby tree ready.
   */
  prepare(signal: AbortSignal): Promise<StandbyTree>;
  /**
   * Flushes the standby slot, writes its status, and only then switches the boot choice, one-shot; reads it back. When
   * `lastLook` throws, nothing is switched, and the tree can be worked on and activated again. Errors: those of `lastLook`.
   */
  activate(tree: StandbyTree, release: StagedRelease, lastLook?: LastLook): Promise<void>;
  /**
   * Root of the tree in the standby slot as it is, mounted if need be, for `use` only. Changes wait meanwhile.
   * Errors: BootError `status_failed`; those of `use` as they are.
   */
  withStandbyRoot<T>(mode: AccessMode, use: (root: string) => Promise<T>): Promise<T>;
  /**
   * What outlives the release in a slot, for `use` only. Changes wait meanwhile.
   * Errors: BootError `status_failed`; those of `use` as they are.
   */
  withArchive<T>(
    of: 'current' | 'standby',
    mode: AccessMode,
    use: (archive: SlotArchive) => Promise<T>,
  ): Promise<T>;
  /**
   * On the first boot after a switch: lets the running slot, still on trial, boot once more, at most `most` times per
   * trial. Counted durably before the boot choice is touched. How often so far; `armed` is false when the limit is reached.
   */
  rearm(most: number): Promise<{ readonly armed: boolean; readonly times: number }>;
  /** Takes `rearm` back: the next boot takes the default. */
  disarm(): Promise<void>;
  /** Makes the switched boot permanent: the running slot is good. */
  confirm(): Promise<void>;
  /** Goes back to the other slot at the next boot, and leaves a report for it. */
  giveUp(failure: FailureReport): Promise<void>;
  /** What `rollBack` would boot. Errors: BootError `rollback_refused`, whose message says why there is nothing. */
  rollbackTarget(): Promise<SlotContents>;
  /**
   * Switches the boot choice to the intact standby slot, one-shot. `carry` may write to its tree before that: both slots
   * say by then that a rollback is under way, so that a start after a power cut knows to undo it.
   * Errors: BootError `rollback_refused`; those of `carry`.
   */
  rollBack(carry?: (root: string) => Promise<void>): Promise<void>;
  /** Records how a job ended that did not lead to a boot of the other slot, and takes a pending switch back. */
  record(status: EndStatus, failure: FailureReport | undefined): Promise<void>;
  /** Ends this boot. Returns once the reboot is under way; every later change is refused. Errors: those of `lastLook`. */
  reboot(lastLook?: LastLook): Promise<void>;
}
