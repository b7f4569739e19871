import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, Detection, LoaderKind, LoaderSetting, SlotTree } from '#boot/boot-loader.ts';
import { installFstab } from '#boot/fstab.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot } from '#boot/slots.ts';
import { StatusFiles } from '#boot/status-files.ts';
import type { BlockDevice } from '#host/block-device.ts';
import { bspOf, checkBsp, firstUefiBranch } from './bsp.ts';
import { installExtlinux } from './extlinux.ts';
import { findJetsonSlots } from './jetson-slots.ts';
import type { Chain } from './nvbootctrl.ts';
import { Nvbootctrl, slotNumbers } from './nvbootctrl.ts';
import { efivarsDirectory, resetRootfsStatus } from './rootfs-status.ts';

/** Jetson Linux before R34, whose boot loader is CBoot. */
export const jetsonCboot = jetson('jetson-cboot');
/** Jetson Linux since R34, whose firmware is UEFI. */
export const jetsonUefi = jetson('jetson-uefi');

type JetsonName = 'jetson-cboot' | 'jetson-uefi';

const statusPath = '/boot/ota-status';

function jetson(name: JetsonName): LoaderKind {
  return {
    name,
    detect: (setting) => detect(name, setting),
    open: (setting, role) => open(name, setting, role),
  };
}

async function detect(name: JetsonName, { activeRoot }: LoaderSetting): Promise<Detection | undefined> {
  const bsp = await bspOf(activeRoot);
  if (bsp === undefined) return undefined;
  if (bsp.branch < firstUefiBranch !== (name === 'jetson-cboot')) return undefined;
  return { reason: `${join(activeRoot, 'etc/nv_tegra_release')} says Jetson Linux R${bsp.text}` };
}

async function open(
  name: JetsonName,
  setting: LoaderSetting,
  role: 'daemon' | 'reader',
): Promise<BootLoader> {
  const tool = new Nvbootctrl(setting.options.toolTimeoutMs);
  // UEFI always switches firmware and root file system together.
  const unified = name === 'jetson-uefi' || (await tool.isUnified());
  const { firmware } = await tool.slots('bootloader', 'startup_failed');
  const branch = Number.parseInt(firmware, 10);
  if (name === 'jetson-uefi' && branch > 0 && branch < firstUefiBranch) {
    throw new BootError(
      'startup_failed',
      `the firmware is ${firmware}, from before UEFI; write \`bootloader: jetson-cboot\` into ecu_info.yml`,
    );
  }
  const running = await tool.currentSlot(unified ? 'bootloader' : 'rootfs');
  const devices = await findJetsonSlots(running, setting);
  const loader = new JetsonLoader({
    name,
    booted: running,
    devices,
    tool,
    unified,
    setting,
    efivars: efivarsDirectory,
  });
  if (role === 'daemon') await loader.beginTrial();
  return loader;
}

interface JetsonParts {
  readonly name: JetsonName;
  readonly booted: SlotId;
  readonly devices: Readonly<Record<SlotId, BlockDevice>>;
  readonly tool: Nvbootctrl;
  readonly unified: boolean;
  readonly setting: LoaderSetting;
  /** Where the firmware's variables are seen. */
  readonly efivars: string;
}

/**
 * The firmware knows one choice only, which lasts, and leaves it by itself when it has counted failed boots. To try a
 * release once, its first start sets the choice back to the old slot before anything else (`beginTrial`); a release that
 * does not get so far is left by the firmware's own count. What the default is, is told by the running slot's status.
 */
export class JetsonLoader implements BootLoader {
  readonly name: JetsonName;
  readonly booted: SlotId;
  readonly devices: Readonly<Record<SlotId, BlockDevice>>;
  readonly status = { kind: 'in_slot', path: statusPath } as const;
  readonly slotNames = slotNumbers;
  readonly #tool: Nvbootctrl;
  readonly #unified: boolean;
  readonly #setting: LoaderSetting;
  readonly #efivars: string;

  constructor({ name, booted, devices, tool, unified, setting, efivars }: JetsonParts) {
    this.name = name;
    this.booted = booted;
    this.devices = devices;
    this.#tool = tool;
    this.#unified = unified;
    this.#setting = setting;
    this.#efivars = efivars;
  }

  /** On the first boot of a release: whatever happens from here on, the next boot takes the old one. */
  async beginTrial(): Promise<void> {
    if (!(await this.#onTrial())) return;
    try {
      await this.#activate(otherSlot(this.booted));
    } catch (error) {
      // The release may be good; if it is not, the firmware's own count takes the ECU back.
      this.#setting.log.warn(
        { err: error },
        'the boot choice could not be set back for the time of the trial',
      );
    }
  }

  async withhold(slot: SlotId): Promise<void> {
    if (!this.#unified) await this.#tool.setUnbootable('rootfs', slot);
  }

  async install(tree: SlotTree): Promise<void> {
    const { root, activeRoot, device } = tree;
    if (this.name === 'jetson-uefi') {
      const { firmware } = await this.#tool.slots('bootloader', 'switch_failed');
      await checkBsp(root, firmware);
    }
    await installFstab(tree, {
      root: `PARTUUID=${device.partUuid}`,
      rootType: device.filesystem?.type ?? 'ext4',
      vehicle: [],
    });
    await installExtlinux(root, activeRoot, device.partUuid);
  }

  async tryOnce(slot: SlotId): Promise<void> {
    await this.#activate(slot);
    if (this.name === 'jetson-uefi') await this.#makeBootable(slot);
  }

  async makeDefault(slot: SlotId): Promise<void> {
    await this.#activate(slot);
    if (slot !== this.booted) return;
    // Attempts are counted until the running release says that it is well.
    if (!this.#unified) await this.#tool.markSuccessful('rootfs');
    else if (this.name === 'jetson-uefi') {
      await this.#tool.verify().catch((error: unknown) => {
        // NVIDIA's own service does it at every boot, too.
        this.#setting.log.warn({ err: error }, 'nvbootctrl verify failed');
      });
    }
  }

  async cancelTry(): Promise<void> {
    await this.#activate((await this.#onTrial()) ? otherSlot(this.booted) : this.booted);
  }

  async reboot(): Promise<void> {
    await this.#setting.reboot([]);
  }

  async #onTrial(): Promise<boolean> {
    const files = new StatusFiles(join(this.#setting.activeRoot, statusPath), slotNumbers);
    const status = await files.status();
    if (status !== 'UPDATING' && status !== 'ROLLBACKING') return false;
    const expected = await files.slotInUse();
    return expected === '' || expected === this.booted;
  }

  /** The root file systems have a status of their own on UEFI, whatever their slots are switched by. */
  async #makeBootable(slot: SlotId): Promise<void> {
    const held = await this.#tool.heldUnbootable();
    if (!held.includes(slot)) return;
    const { activeRoot, options } = this.#setting;
    const timeoutMs = options.toolTimeoutMs;
    await resetRootfsStatus(slot, { activeRoot, efivars: this.#efivars, timeoutMs });
    if (!(await this.#tool.heldUnbootable()).includes(slot)) return;
    throw new BootError(
      'switch_failed',
      `the firmware goes on holding the root file system of ${slot} for unbootable after its variable was reset; ` +
        'restart this ECU, and update again',
    );
  }

  /** The root file system first: with the firmware's chain alone the old root would be booted by the new firmware. */
  async #activate(slot: SlotId): Promise<void> {
    const chains: readonly Chain[] = this.#unified ? ['bootloader'] : ['rootfs', 'bootloader'];
    for (const chain of chains) {
      const { active, unbootable } = await this.#tool.slots(chain, 'switch_failed');
      if (active !== slot || unbootable.includes(slot)) await this.#tool.activate(chain, slot);
    }
  }
}
