import { BootError } from './boot-error.ts';
import type { BootLoader, Detection, LoaderKind, LoaderSetting, SlotTree } from './boot-loader.ts';
import { isToolMissing } from './boot-tool.ts';
import type { FstabEntry } from './fstab.ts';
import { installFstab } from './fstab.ts';
import { neededMounts } from './needed-mounts.ts';
import { sharedStatus } from './shared-status.ts';
import { findSlotDevices } from './slot-devices.ts';
import { fstabPlan } from './slot-fstab.ts';
import type { SlotId } from './slots.ts';
import { otherSlot, slotIds } from './slots.ts';
import { UBootEnvironment } from './u-boot-environment.ts';

const name = 'u-boot';

/**
 * U-Boot with a boot script that takes `ota_slot`, or `ota_try` while `upgrade_available` is 1, and with U-Boot's boot
 * counter (CONFIG_BOOTCOUNT_LIMIT), whose `altbootcmd` ends the trial. `bootlimit` 1 makes it exactly one attempt:
 * U-Boot counts before it boots, and a count above the limit runs `altbootcmd`.
 */
export const uBoot: LoaderKind = { name, detect, open };

/** A board whose environment is damaged has U-Boot all the same: only one without its tools has not. */
async function detect({ options }: LoaderSetting): Promise<Detection | undefined> {
  const environment = new UBootEnvironment(options.toolTimeoutMs);
  try {
    const slot = (await environment.read('startup_failed')).get('ota_slot');
    return slot === undefined ? undefined : { reason: `the U-Boot environment has ota_slot=${slot}` };
  } catch (error) {
    if (isToolMissing(error)) return undefined;
    throw error;
  }
}

async function open(setting: LoaderSetting, role: 'daemon' | 'reader'): Promise<BootLoader> {
  const { signal } = new AbortController();
  const environment = new UBootEnvironment(setting.options.toolTimeoutMs);
  const variables = await environment.read('startup_failed');
  const slot = variables.get('ota_slot');
  if (!slotIds.some((id) => id === slot)) {
    const is = slot === undefined ? 'is not set' : `is ${JSON.stringify(slot)}`;
    throw new BootError(
      'startup_failed',
      `ota_slot ${is} in the U-Boot environment; give U-Boot a boot script for two slots (docs/operations.md, ` +
        '"U-Boot") and set ota_slot to slot_a or slot_b',
    );
  }
  const found = await findSlotDevices(setting, signal);
  const status = await sharedStatus(setting, found.devices, role, signal);
  const vehicle = await neededMounts(setting, [status.directory('slot_a')], signal);
  return new UBootLoader({ ...found, status, vehicle, environment, reboot: () => setting.reboot([]) });
}

interface Parts extends Pick<BootLoader, 'booted' | 'devices' | 'status' | 'reboot'> {
  readonly environment: UBootEnvironment;
  /** Mounts that every release needs. */
  readonly vehicle: readonly FstabEntry[];
}

export class UBootLoader implements BootLoader {
  readonly name = name;
  readonly booted: SlotId;
  readonly devices: BootLoader['devices'];
  readonly status: BootLoader['status'];
  readonly reboot: () => Promise<void>;
  readonly #environment: UBootEnvironment;
  readonly #vehicle: readonly FstabEntry[];

  constructor({ booted, devices, status, reboot, environment, vehicle }: Parts) {
    this.booted = booted;
    this.devices = devices;
    this.status = status;
    this.reboot = reboot;
    this.#environment = environment;
    this.#vehicle = vehicle;
  }

  /** Kernel, device tree and boot script stay where the release has them: U-Boot reads them from the slot. */
  async install(tree: SlotTree): Promise<void> {
    await installFstab(tree, fstabPlan(tree, this.#vehicle));
  }

  /** The default is set too: what is not on trial is what a failed trial has to come back to. */
  async tryOnce(slot: SlotId): Promise<void> {
    await this.#environment.set({
      ota_slot: otherSlot(slot),
      bootlimit: '1',
      bootcount: '0',
      ota_try: slot,
      // Last: from here on the trial counts.
      upgrade_available: '1',
    });
  }

  async makeDefault(slot: SlotId): Promise<void> {
    await this.#environment.set({ ota_slot: slot, upgrade_available: '0', bootcount: '0', ota_try: '' });
  }

  async cancelTry(): Promise<void> {
    await this.#environment.set({ upgrade_available: '0', bootcount: '0', ota_try: '' });
  }
}
