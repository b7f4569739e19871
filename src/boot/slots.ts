import type { ReleaseDetail } from '#domain/release.ts';
import type { FailureReport, OtaStatus } from '#domain/status.ts';

/** Names of slots are roles, never device names, so that they survive a re-enumeration of disks. */
export type SlotId = 'slot_a' | 'slot_b';

/** What one slot holds. */
export interface SlotContents {
  readonly id: SlotId;
  /** Version of the release in it; empty when none. */
  readonly version: string;
  readonly detail: ReleaseDetail | undefined;
  /** Whether it holds a whole release that was confirmed or activated and was not written to since. */
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
}

/** What the start of the daemon was. */
export type BootVerdict =
  /** An ordinary start. */
  | { readonly kind: 'ordinary'; readonly status: OtaStatus; readonly failure: FailureReport | undefined }
  /** The first start after a switch, in the slot that was switched to: to be confirmed or given up. */
  | { readonly kind: 'first_boot'; readonly of: 'update' | 'rollback' }
  /** A switch was made, but this is the old slot: the boot loader fell back. */
  | { readonly kind: 'fell_back'; readonly of: 'update' | 'rollback' };

/** The release that an update put into the standby slot. */
export interface StagedRelease {
  readonly version: string;
  readonly detail: ReleaseDetail | undefined;
  /** Digest of the image's signed description. */
  readonly imageDigest: string;
}

/**
 * The two slots of one ECU and the choice between them. One file per boot control implements it.
 *
 * Every call may be interrupted by a power cut and made again. What is written is durable when a call returns.
 * Errors: BootError.
 */
export interface Slots {
  /** Name of the boot control, for people. */
  readonly bootloader: string;
  current(): Promise<SlotContents>;
  standby(): Promise<SlotContents>;
  /** What this start of the daemon is. Does not change anything. */
  judge(): Promise<BootVerdict>;
  /**
   * Marks the standby slot as written to and the current one as FAILURE ("fail by default": whatever happens from here
   * to the confirmation, no code has to run to register a failed update), then makes the standby tree ready.
   */
  prepare(signal: AbortSignal): Promise<StandbyTree>;
  /** Flushes the standby slot, writes its status, and only then switches the boot choice, one-shot; reads it back. */
  activate(tree: StandbyTree, release: StagedRelease): Promise<void>;
  /** Makes the switched boot permanent: the running slot is good. */
  confirm(): Promise<void>;
  /** Goes back to the other slot at the next boot, and leaves a report for it. */
  giveUp(failure: FailureReport): Promise<void>;
  /** Switches the boot choice to the intact standby slot, one-shot. Errors: BootError `rollback_refused`. */
  rollBack(): Promise<void>;
  /** Records how a job ended that did not lead to a switch. */
  record(
    status: 'SUCCESS' | 'FAILURE' | 'ROLLBACK_FAILURE' | 'ABORTED',
    failure: FailureReport | undefined,
  ): Promise<void>;
  /** Ends this boot. Returns once the reboot is under way; nothing may change status afterwards. */
  reboot(): Promise<void>;
}
