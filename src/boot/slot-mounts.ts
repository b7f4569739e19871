import type { BlockDevice } from '#host/block-device.ts';
import { describeDevice } from '#host/block-device.ts';
import { MountError, MountNamespace } from '#host/mount-namespace.ts';
import { freeStaleMounts, mountsOf } from '#host/stale-mounts.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import type { AccessMode } from './slots.ts';

export interface SlotMountsSetting {
  /** Holds the mount points. */
  readonly directory: string;
  /** "/" of the running release. */
  readonly activeRoot: string;
  /** The partition of the standby slot. */
  readonly standby: BlockDevice;
  /** A reader beside the daemon takes no mount away from it. */
  readonly role: 'daemon' | 'reader';
}

/** Modification times of files that are only read cost writes. */
const writeOptions = ['rw', 'noatime'];
const readOptions = ['ro', 'noatime'];

/**
 * The private mounts of a pair of slots: the running one's tree, read only and without what is mounted in it, and the
 * standby one's. Nothing is mounted until it is asked for, nothing after `release`. Not for calls side by side.
 */
export class SlotMounts {
  readonly #setting: SlotMountsSetting;
  #namespace: MountNamespace | undefined;
  #standby: AccessMode | undefined;

  constructor(setting: SlotMountsSetting) {
    this.#setting = setting;
  }

  /** What is mounted of the standby slot. */
  get mode(): AccessMode | undefined {
    return this.#standby;
  }

  /** Where both trees are seen, the standby one's once it is mounted. */
  async paths(signal: AbortSignal): Promise<{ readonly standby: string; readonly active: string }> {
    const namespace = await this.namespace(signal);
    return { standby: namespace.pathOf('standby'), active: namespace.pathOf('active') };
  }

  /** The namespace, with the running slot's tree in it. One whose holder was killed is replaced. */
  async namespace(signal: AbortSignal): Promise<MountNamespace> {
    if (this.#namespace?.isAlive === true) return this.#namespace;
    await this.release(signal);
    const namespace = await MountNamespace.open(this.#setting.directory, signal);
    try {
      await namespace.bindReadOnly(this.#setting.activeRoot, 'active', signal);
    } catch (error) {
      await namespace[Symbol.asyncDispose]();
      throw error;
    }
    this.#namespace = namespace;
    return namespace;
  }

  /** Mounts the standby slot, or leaves it mounted when that is enough. Returns its root. */
  async mount(mode: AccessMode, signal: AbortSignal): Promise<string> {
    const namespace = await this.namespace(signal);
    if (this.#standby === mode || this.#standby === 'write') return namespace.pathOf('standby');
    await this.unmount(signal);
    const { filesystem } = await this.describe(signal);
    if (filesystem === undefined) throw new MountError('mount_failed', `${this.#node} holds no file system`);
    const { type } = filesystem;
    const root = await (mode === 'write'
      ? this.#mountAlone(namespace, type, signal)
      : this.#mountBeside(namespace, type, signal));
    this.#standby = mode;
    return root;
  }

  /** Nobody else may write to it. */
  async #mountAlone(namespace: MountNamespace, type: string, signal: AbortSignal): Promise<string> {
    if (this.#setting.role === 'daemon') await freeStaleMounts(this.#setting.standby, signal);
    return namespace.mount(this.#node, 'standby', { type, options: writeOptions }, signal);
  }

  /** Others may see it too. While one of them may write to it, the kernel refuses a mount that would forbid that. */
  async #mountBeside(namespace: MountNamespace, type: string, signal: AbortSignal): Promise<string> {
    try {
      return await namespace.mount(this.#node, 'standby', { type, options: readOptions }, signal);
    } catch (error) {
      if (!(error instanceof MountError) || error.code !== 'mount_failed') throw error;
      if ((await mountsOf(this.#setting.standby)).length === 0) throw error;
      const root = await namespace.mount(this.#node, 'standby', { type, options: writeOptions }, signal);
      await namespace.remount('standby', ['bind', 'ro'], signal);
      return root;
    }
  }

  /**
   * Writes back and unmounts the standby slot; fine when it is not mounted. What cannot be written back is an error, but
   * the slot is unmounted all the same: a disk that has failed is not to be held.
   */
  async unmount(signal: AbortSignal): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined || this.#standby === undefined) return;
    const written =
      this.#standby === 'write' ? syncFilesystem(namespace.pathOf('standby'), signal) : Promise.resolve();
    const [result] = await Promise.allSettled([written]);
    await namespace.unmount('standby', signal);
    this.#standby = undefined;
    if (result.status === 'rejected') throw result.reason;
  }

  /** Unmounts everything and lets the namespace go. */
  async release(signal: AbortSignal): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined) return;
    // Its mounts went with it.
    if (!namespace.isAlive) this.#standby = undefined;
    await this.unmount(signal);
    this.#namespace = undefined;
    await namespace[Symbol.asyncDispose]();
  }

  /** Like `release`, but never fails: what is still in use is unmounted by the kernel when it is not any more. */
  async dispose(): Promise<void> {
    const namespace = this.#namespace;
    this.#namespace = undefined;
    this.#standby = undefined;
    await namespace?.[Symbol.asyncDispose]();
  }

  /** The standby device as it is now. */
  async describe(signal: AbortSignal): Promise<BlockDevice> {
    return describeDevice(this.#node, signal);
  }

  get #node(): string {
    return this.#setting.standby.path;
  }
}
