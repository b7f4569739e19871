import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceHolding } from '#host/block-device.ts';
import { CommandError } from '#host/command.ts';
import { entryAt } from '#host/entry-at.ts';
import type { NewFilesystem } from '#host/make-filesystem.ts';
import { checkFilesystem, makeFilesystem } from '#host/make-filesystem.ts';
import { MountError } from '#host/mount-namespace.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import type { StandbyPlan } from './block-standby.ts';
import { guessStandby, planStandby } from './block-standby.ts';
import type { BootControl } from './boot-control.ts';
import { BootError, wrapped } from './boot-error.ts';
import type { BootLoader, LoaderSetting } from './boot-loader.ts';
import { carriedBytes, carryPaths } from './carry.ts';
import { removeFormatNote, writeFormatNote } from './format-note.ts';
import { guessFreshSpace, measureFreshSpace } from './fresh-space.ts';
import { SlotMounts } from './slot-mounts.ts';
import type { AccessMode, FreshSpace, SeenTree, SlotId, Slots, StandbyTree } from './slots.ts';
import { otherSlot } from './slots.ts';
import type { StatusMirror } from './status-files.ts';
import { openStatusSlots } from './status-slots.ts';

/** In the standby slot for the time of an update: on its file system, so that files can be renamed out of it. */
const workName = '.ota-work';
/** e2fsck wants it where it is. */
const keptName = 'lost+found';

const never = new AbortController().signal;

/**
 * Opens the slots of a boot loader whose slots are block devices. Mounts nothing yet.
 * Errors: BootError `startup_failed`.
 */
export async function openBlockSlots(
  loader: BootLoader,
  setting: LoaderSetting,
  role: 'daemon' | 'reader',
): Promise<Slots> {
  const { slot_a: a, slot_b: b } = loader.devices;
  if (a.number === b.number) {
    throw new BootError(
      'startup_failed',
      `slot_a and slot_b are the same partition, ${a.path}; give each its own with boot.slot_a and boot.slot_b`,
    );
  }
  const standby = loader.devices[otherSlot(loader.booted)];
  const running = await deviceHolding(setting.activeRoot, never);
  if (running?.number === standby.number) {
    throw new BootError(
      'startup_failed',
      `the running release lies on ${standby.path}, which is to be the standby slot; correct boot.slot_a and boot.slot_b`,
    );
  }
  return openStatusSlots(new BlockControl(loader, setting, role), role);
}

/** Slots on partitions: the standby one is made ready, mounted for us alone, and unmounted before the boot is switched. */
class BlockControl implements BootControl {
  readonly name: string;
  readonly booted: SlotId;
  readonly activeRoot: string;
  readonly slotNames: BootControl['slotNames'];
  readonly #loader: BootLoader;
  readonly #setting: LoaderSetting;
  readonly #role: 'daemon' | 'reader';
  readonly #standby: SlotId;
  readonly #mounts: SlotMounts;
  /** Holds until the slot is let go of. */
  #plan: StandbyPlan | undefined;
  /** A sealed tree whose slot was let go of, by its root, and where it is now. */
  #reopened: { readonly of: string; readonly tree: StandbyTree } | undefined;
  /** Complete, and to be checked once it is unmounted. */
  #sealed = false;

  constructor(loader: BootLoader, setting: LoaderSetting, role: 'daemon' | 'reader') {
    this.name = loader.name;
    this.booted = loader.booted;
    this.activeRoot = setting.activeRoot;
    this.slotNames = loader.slotNames;
    this.#loader = loader;
    this.#setting = setting;
    this.#role = role;
    this.#standby = otherSlot(loader.booted);
    this.#mounts = new SlotMounts({
      directory: setting.options.mountDirectory,
      activeRoot: setting.activeRoot,
      standby: loader.devices[this.#standby],
      role,
    });
  }

  statusMirror(slot: SlotId): StatusMirror | undefined {
    return this.#loader.statusMirror?.(slot);
  }

  deviceNames(slot: SlotId): readonly string[] {
    const { partUuid, filesystem } = this.#loader.devices[slot];
    return [
      ...(partUuid === '' ? [] : [`PARTUUID=${partUuid}`]),
      ...(filesystem === undefined ? [] : [`UUID=${filesystem.uuid}`]),
    ];
  }

  async statusDirectory(slot: SlotId, mode: AccessMode): Promise<string | undefined> {
    const { status } = this.#loader;
    if (status.kind === 'shared') return status.directory(slot);
    try {
      return await resolveInRoot(await this.reach(slot, slot === this.booted ? 'write' : mode), status.path);
    } catch (error) {
      if (slot === this.booted || !(error instanceof MountError) || error.code !== 'mount_failed')
        throw error;
      this.#setting.log.warn(
        { err: error, slot },
        `${slot} cannot be mounted: nothing is known of its release`,
      );
      return undefined;
    }
  }

  async reach(slot: SlotId, mode: AccessMode): Promise<string> {
    if (slot !== this.booted) return this.#mounts.mount(mode, never);
    return mode === 'write' ? this.activeRoot : (await this.#mounts.paths(never)).active;
  }

  async letGo(): Promise<void> {
    this.#plan = undefined;
    try {
      try {
        await this.#mounts.unmount(never);
        if (this.#sealed) await this.#check();
      } finally {
        await this.#mounts.release(never);
      }
    } catch (error) {
      this.#setting.log.error({ err: error }, `${this.#standby} could not be let go of`);
      throw error;
    }
  }

  async standbyTree(): Promise<StandbyTree> {
    const { standby: root, active: activeRoot } = await this.#mounts.paths(never);
    return {
      slot: this.#standby,
      root,
      work: join(root, workName),
      activeRoot,
      reserved: [workName, keptName],
    };
  }

  async look(signal: AbortSignal): Promise<SeenTree> {
    const tree = await this.standbyTree();
    const { carry } = this.#setting.options;
    const addedBytes = await carriedBytes(carry, tree.activeRoot, signal);
    const plan = await this.#planned(signal);
    // ext4 itself tells how much it will have room for; others keep less for themselves while they are only read.
    if (plan.kind === 'reuse' && plan.filesystem.type === 'ext4') return { ...tree, addedBytes };
    return { ...tree, fresh: await this.#freshSpace(plan, tree.root, signal), addedBytes };
  }

  async makeReady(tree: StandbyTree, signal: AbortSignal): Promise<void> {
    const plan = await this.#planned(signal);
    await this.#loader.withhold?.(this.#standby);
    signal.throwIfAborted();
    if (plan.kind === 'format') {
      const { path } = this.#loader.devices[this.#standby];
      this.#setting.log.info({ device: path, why: plan.why }, `${this.#standby} is formatted: ${plan.why}`);
      await this.#mounts.unmount(signal);
      await this.#format(plan.filesystem, signal);
      // From here on it is to be used as it is.
      this.#plan = { kind: 'reuse', filesystem: plan.filesystem };
    }
    await removeFormatNote(this.#setting.bootDirectory);
    await this.#mounts.mount('write', signal);
    await this.#stillMounted(tree);
    this.#sealed = false;
    this.#reopened = undefined;
    const work = await entryAt(tree.work);
    if (work !== undefined && !work.isDirectory()) await rm(tree.work);
    await mkdir(tree.work, { recursive: true, mode: 0o700 });
  }

  async reopen(tree: StandbyTree): Promise<void> {
    await this.#mounts.mount('write', never);
    // The paths of a mount end with it.
    this.#reopened = { of: tree.root, tree: await this.standbyTree() };
  }

  async seal(given: StandbyTree): Promise<void> {
    const tree = this.#reopened?.of === given.root ? this.#reopened.tree : given;
    await this.#stillMounted(tree);
    const { slot, root, work, activeRoot } = tree;
    try {
      await rm(work, { recursive: true, force: true });
      await carryPaths(this.#setting.options.carry, tree, never);
      const device = await this.#mounts.describe(never);
      await this.#loader.install({ slot, root, activeRoot, device });
      await syncFilesystem(root, never);
    } catch (error) {
      // Whatever the error says, this is then the reason.
      await this.#stillMounted(tree);
      throw error;
    }
    this.#sealed = true;
  }

  tryOnce(slot: SlotId): Promise<void> {
    return this.#loader.tryOnce(slot);
  }

  makeDefault(slot: SlotId): Promise<void> {
    return this.#loader.makeDefault(slot);
  }

  cancelTry(): Promise<void> {
    return this.#loader.cancelTry();
  }

  reboot(): Promise<void> {
    return this.#loader.reboot();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mounts.dispose();
  }

  async #format(filesystem: NewFilesystem, signal: AbortSignal): Promise<void> {
    const { path, partUuid } = this.#loader.devices[this.#standby];
    const { bootDirectory } = this.#setting;
    const { uuid, label } = filesystem;
    if (partUuid !== '') {
      await wrapped('prepare_failed', `nothing was formatted: ${bootDirectory} cannot be written`, () =>
        writeFormatNote(bootDirectory, { slot: this.#standby, partUuid, uuid, label }),
      );
    }
    await makeFilesystem(path, filesystem, signal);
  }

  /** With the process that held the mounts, the paths go that an update works with. */
  async #stillMounted({ root }: StandbyTree): Promise<void> {
    const paths = await this.#mounts.paths(never);
    if (this.#mounts.mode === 'write' && paths.standby === root) return;
    throw new MountError('lost', `${this.#standby} was unmounted meanwhile; start the update again`);
  }

  async #planned(signal: AbortSignal): Promise<StandbyPlan> {
    const active = this.#loader.devices[this.booted];
    const plan = this.#role === 'daemon' ? planStandby : guessStandby;
    this.#plan ??= await plan(this.#mounts, active, this.#setting, signal);
    return this.#plan;
  }

  async #freshSpace(
    { kind, filesystem }: StandbyPlan,
    root: string,
    signal: AbortSignal,
  ): Promise<FreshSpace | undefined> {
    const { path, sizeBytes } = this.#loader.devices[this.#standby];
    try {
      const namespace = await this.#mounts.namespace(signal);
      const { mountDirectory } = this.#setting.options;
      const fresh = await measureFreshSpace(namespace, mountDirectory, sizeBytes, filesystem, signal);
      if (kind === 'format') return fresh ?? guessFreshSpace(sizeBytes, filesystem.type);
      if (fresh === undefined) return undefined;
      // It may be smaller than its partition.
      const { blocks, bsize } = await statfs(root);
      return { ...fresh, bytes: fresh.bytes + Math.min(0, blocks * bsize - fresh.totalBytes) };
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== 'failed') throw error;
      throw new BootError(
        'prepare_failed',
        `${path} (${sizeBytes} bytes) cannot be made ${filesystem.type}: ${error.message}; give ${this.#standby} a ` +
          'larger partition, or choose another file system with boot.filesystem',
        { cause: error },
      );
    }
  }

  /** What was written is not booted unless it can be read back as a file system without errors. */
  async #check(): Promise<void> {
    this.#sealed = false;
    const device = await this.#mounts.describe(never);
    const result = await checkFilesystem(device, never);
    if (!result.clean) {
      throw new BootError(
        'switch_failed',
        `the file system on ${device.path} has errors just after it was written (${result.problem}); look for a failing disk`,
      );
    }
  }
}
