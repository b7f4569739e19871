import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, LoaderKind, LoaderSetting, SlotTree, StatusPlace } from '#boot/boot-loader.ts';
import { naming, requireWritable } from '#boot/boot-place.ts';
import type { FstabEntry } from '#boot/fstab.ts';
import { installFstab } from '#boot/fstab.ts';
import { newestKernel } from '#boot/kernels.ts';
import { fstabPlan } from '#boot/slot-fstab.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot } from '#boot/slots.ts';
import type { StatusMirror } from '#boot/status-files.ts';
import { entryAt } from '#host/entry-at.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { adopt } from './adopt.ts';
import { GrubenvFile } from './grubenv.ts';
import { defaultArguments, slotArguments } from './kernel-arguments.ts';
import type { GrubLayout } from './layout.ts';
import { readLayout } from './layout.ts';
import { legacyMirrors } from './legacy.ts';
import { defaultMenuName, formatDefaultMenu, slotCalled, slotMenuName, slotNames } from './menu.ts';
import { bootableEntry, putKernel, replaceMenu, slotFolder, withdrawMenu } from './slot-folder.ts';
import { spareSlot } from './spare-slot.ts';

const never = new AbortController().signal;

/**
 * GRUB for BIOS and EFI: both slots' kernels and status files lie on a shared `/boot`, GRUB's environment block holds the
 * choice. Disks of existing clients, and those of a freshly installed distribution, are taken over at the first start.
 */
export const grub: LoaderKind = {
  name: 'grub',

  async detect(setting) {
    const { bootDirectory } = setting;
    const managed = await managedFolder(bootDirectory);
    for (const name of ['grub/grub.cfg', 'grub/grubenv']) {
      const path = join(bootDirectory, name);
      if ((await entryAt(path).catch(() => undefined)) === undefined) continue;
      // Any Debian machine has it. Its other partitions are no slots unless something says so: they get formatted.
      const sign = managed === undefined ? await spareSlot(setting, never) : `${managed} too`;
      return { reason: `${path} exists, and ${sign}` };
    }
    // Both can be lost, and are made again.
    const hasGrub = (await entryAt(join(bootDirectory, 'grub')).catch(() => undefined)) !== undefined;
    return managed !== undefined && hasGrub ? { reason: `${managed} exists` } : undefined;
  },

  async open(setting, role) {
    const layout = await readLayout(setting, never);
    const environment = new GrubenvFile(layout.grubDirectory, layout.partition);
    if (role === 'daemon') {
      await requireWritable(layout.grubDirectory, 'the boot partition');
      await naming(
        layout.partition.mountPoint,
        'startup_failed',
        'the boot menu could not be taken over',
        () => adopt({ setting, layout, environment }, never),
      );
    }
    return new GrubLoader({ setting, layout, environment, mirrors: await legacyMirrors(layout) });
  },
};

/** What a client that boots slots by GRUB leaves on the boot partition. */
async function managedFolder(bootDirectory: string): Promise<string | undefined> {
  const names = await readdir(bootDirectory).catch(() => []);
  const folder = names.find((name) => /^ota-(?:slot_[ab]|partition(?:\..+)?)$/.test(name));
  return folder === undefined ? undefined : join(bootDirectory, folder);
}

interface GrubParts {
  readonly setting: LoaderSetting;
  readonly layout: GrubLayout;
  readonly environment: GrubenvFile;
  readonly mirrors: Readonly<Record<SlotId, StatusMirror | undefined>>;
}

class GrubLoader implements BootLoader {
  readonly name = grub.name;
  readonly booted: SlotId;
  readonly devices: BootLoader['devices'];
  readonly status: StatusPlace;
  readonly slotNames = slotNames;
  readonly #setting: LoaderSetting;
  readonly #layout: GrubLayout;
  readonly #environment: GrubenvFile;
  readonly #mirrors: GrubParts['mirrors'];

  constructor({ setting, layout, environment, mirrors }: GrubParts) {
    this.booted = layout.booted;
    this.devices = layout.devices;
    this.status = { kind: 'shared', directory: (slot) => slotFolder(layout, slot) };
    this.#setting = setting;
    this.#layout = layout;
    this.#environment = environment;
    this.#mirrors = mirrors;
  }

  statusMirror(slot: SlotId): StatusMirror | undefined {
    return this.#mirrors[slot];
  }

  /** Without its entry, GRUB falls back to the running slot only. */
  withhold(slot: SlotId): Promise<void> {
    return naming(
      this.#layout.partition.mountPoint,
      'prepare_failed',
      `the menu entry of ${slot} could not be removed`,
      () => withdrawMenu(this.#layout, slot, never),
    );
  }

  install(tree: SlotTree): Promise<void> {
    const what = `${tree.slot} could not be made bootable`;
    return naming(this.#layout.partition.mountPoint, 'prepare_failed', what, async () => {
      const boot = await resolveInRoot(tree.root, '/boot');
      const { kernel, initrds } = await newestKernel(boot);
      const plan = fstabPlan(tree);
      const uuid = plan.root.slice('UUID='.length);
      // The release decides what it is booted with; one that says nothing is booted as the running one is.
      const base =
        (await defaultArguments(tree.root)) ??
        (await bootableEntry(this.#layout, this.booted))?.arguments ??
        [];
      const source = {
        kernel: join(boot, kernel),
        initrds: initrds.map((name) => join(boot, name)),
        arguments: slotArguments(base, uuid, this.#setting.options.kernelArguments),
      };
      await installFstab(tree, { ...plan, vehicle: bootMounts(this.#layout) });
      await putKernel(this.#layout, tree.slot, source, 'copy', never);
    });
  }

  tryOnce(slot: SlotId): Promise<void> {
    return naming(
      this.#layout.partition.mountPoint,
      'switch_failed',
      `${slot} could not be chosen for the next boot`,
      async () => {
        await this.#requireBootable(slot);
        // As it is, where it is known: what is on trial must not become the default by this.
        const standard = slotCalled((await this.#environment.read()).get('saved_entry')) ?? otherSlot(slot);
        await this.#environment.change(
          { saved_entry: slotNames[standard], next_entry: slotNames[slot] },
          never,
        );
      },
    );
  }

  makeDefault(slot: SlotId): Promise<void> {
    return naming(
      this.#layout.partition.mountPoint,
      'switch_failed',
      `${slot} could not be made the default`,
      async () => {
        await this.#requireBootable(slot);
        await this.#environment.change({ saved_entry: slotNames[slot], next_entry: undefined }, never);
        await replaceMenu(this.#layout, defaultMenuName, formatDefaultMenu(slot), never);
      },
    );
  }

  cancelTry(): Promise<void> {
    return naming(
      this.#layout.partition.mountPoint,
      'switch_failed',
      'the choice for the next boot could not be taken back',
      async () => {
        await this.#environment.change({ next_entry: undefined }, never);
      },
    );
  }

  reboot(): Promise<void> {
    return this.#setting.reboot([]);
  }

  async #requireBootable(slot: SlotId): Promise<void> {
    if ((await bootableEntry(this.#layout, slot)) !== undefined) return;
    throw new BootError(
      'switch_failed',
      `${slot} cannot be booted: ${slotMenuName(slot)} in ${this.#layout.grubDirectory} names no kernel and initrd ` +
        'that exist; update this ECU again',
    );
  }
}

/** Mounts that every release needs, for a running release whose fstab does not have them. */
function bootMounts({ boot, bootUuid, esp }: GrubLayout): readonly FstabEntry[] {
  const type = boot.filesystem?.type ?? 'auto';
  const entry = { options: 'defaults', dump: '0', pass: '2' };
  const mounts = [{ ...entry, spec: `UUID=${bootUuid}`, mountPoint: '/boot', type }];
  if (esp?.filesystem?.type !== 'vfat') return mounts;
  const options = 'umask=0077,nofail';
  return [
    ...mounts,
    {
      ...entry,
      spec: `UUID=${esp.filesystem.uuid}`,
      mountPoint: '/boot/efi',
      type: 'vfat',
      options,
      pass: '1',
    },
  ];
}
