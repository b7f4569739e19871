import type { BootErrorCode } from '#boot/boot-error.ts';
import { BootError } from '#boot/boot-error.ts';
import type { BootLoader, Detection, LoaderKind, LoaderSetting, SlotTree } from '#boot/boot-loader.ts';
import { naming, requireWritable } from '#boot/boot-place.ts';
import type { FstabEntry } from '#boot/fstab.ts';
import { installFstab } from '#boot/fstab.ts';
import { newestKernel } from '#boot/kernels.ts';
import { neededMounts } from '#boot/needed-mounts.ts';
import { sharedStatus } from '#boot/shared-status.ts';
import { findSlotDevices } from '#boot/slot-devices.ts';
import { fstabPlan } from '#boot/slot-fstab.ts';
import type { SlotId } from '#boot/slots.ts';
import { otherSlot } from '#boot/slots.ts';
import { readAtMost } from '#host/durable-file.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import { adoptRunning, leaveChoiceToOrder, maskBlessing } from './adopt.ts';
import { findBootPartition, findSystemdBoot } from './boot-partition.ts';
import type { BootEntry, EntryContents } from './entries.ts';
import { readEntries, removeEntries, replaceEntry } from './entries.ts';
import { describedKernel, missingFile, replaceKernel } from './kernel-directory.ts';
import { kernelOptions } from './kernel-options.ts';
import { LoaderVariables } from './variables.ts';

const name = 'systemd-boot';

/** The first that sorts by `sort-key`, on which the order of our entries rests. */
const oldestVersion = 250;

/**
 * systemd-boot with one entry per slot (Boot Loader Specification, type 1). A trial is an entry with one try left and
 * the highest version: the boot loader takes it first and counts it down before it boots it, which makes it the last.
 * To confirm is to put an entry without a counter in its place ("bless"), which only we do.
 */
export const systemdBoot: LoaderKind = { name, detect, open };

async function detect(setting: LoaderSetting): Promise<Detection | undefined> {
  const info = await new LoaderVariables(setting.activeRoot, setting.options.toolTimeoutMs).info();
  const path = await findSystemdBoot(setting);
  const saidOther = info !== undefined && !info.startsWith('systemd-boot');
  if (saidOther || (info === undefined && path === undefined)) return undefined;
  // A developer's machine has it as well, but no slots.
  await findSlotDevices(setting, new AbortController().signal);
  return { reason: info === undefined ? `it lies in ${path}` : `${info} started this system` };
}

async function open(setting: LoaderSetting, role: 'daemon' | 'reader'): Promise<BootLoader> {
  const { signal } = new AbortController();
  const variables = new LoaderVariables(setting.activeRoot, setting.options.toolTimeoutMs);
  const info = await variables.info();
  const version = /^systemd-boot (\d+)/.exec(info ?? '')?.[1];
  if (version !== undefined && Number(version) < oldestVersion) {
    throw new BootError(
      'startup_failed',
      `${info} does not know the order of entries that a trial needs; install systemd-boot ${oldestVersion} or newer ` +
        'with `bootctl update`',
    );
  }
  const found = await findSlotDevices(setting, signal);
  const boot = await findBootPartition(setting, found.devices, signal);
  if (role === 'daemon') await requireWritable(boot, 'the boot partition');
  const status = await sharedStatus(setting, found.devices, role, signal);
  const vehicle = await neededMounts(setting, [boot, status.directory('slot_a')], signal);
  return new SystemdBootLoader({ ...found, status, vehicle, setting, boot, variables });
}

interface Parts extends Pick<BootLoader, 'booted' | 'devices' | 'status'> {
  readonly setting: LoaderSetting;
  /** Where the boot partition is mounted. */
  readonly boot: string;
  readonly variables: LoaderVariables;
  /** Mounts that every release needs. */
  readonly vehicle: readonly FstabEntry[];
}

export class SystemdBootLoader implements BootLoader {
  readonly name = name;
  readonly booted: SlotId;
  readonly devices: BootLoader['devices'];
  readonly status: BootLoader['status'];
  readonly #setting: LoaderSetting;
  readonly #boot: string;
  readonly #variables: LoaderVariables;
  readonly #vehicle: readonly FstabEntry[];

  constructor({ booted, devices, status, setting, boot, variables, vehicle }: Parts) {
    this.booted = booted;
    this.devices = devices;
    this.status = status;
    this.#setting = setting;
    this.#boot = boot;
    this.#variables = variables;
    this.#vehicle = vehicle;
  }

  /** Nobody may pick a half-written slot from the menu. */
  withhold(slot: SlotId): Promise<void> {
    return this.#named('prepare_failed', `the boot entry of ${slot} could not be removed`, async () => {
      await removeEntries(this.#boot, (entry) => entry.slot === slot);
      await this.#sync();
    });
  }

  install(tree: SlotTree): Promise<void> {
    const what = `${tree.slot} could not be made bootable`;
    return this.#named('prepare_failed', what, () => this.#install(tree));
  }

  async #install(tree: SlotTree): Promise<void> {
    const boot = this.#boot;
    const plan = fstabPlan(tree, this.#vehicle);
    const directory = await resolveInRoot(tree.root, '/boot');
    const kernel = await newestKernel(directory);
    const running = await adoptRunning({ boot, setting: this.#setting, tree, running: this.#running() });
    await installFstab(tree, plan);
    await maskBlessing(tree.root);
    await this.withhold(tree.slot);
    const cmdline = await resolveInRoot(tree.root, '/etc/kernel/cmdline');
    const own = await readAtMost(cmdline, 4096).catch(() => undefined);
    const base = own?.toString('utf8').trim() || running.options;
    const options = kernelOptions(base, plan.root, this.#setting.options.kernelArguments);
    await replaceKernel(boot, tree.slot, { directory, kernel }, options);
    await this.#sync();
  }

  tryOnce(slot: SlotId): Promise<void> {
    return this.#named('switch_failed', `${slot} could not be chosen for the next boot`, () =>
      this.#tryOnce(slot),
    );
  }

  async #tryOnce(slot: SlotId): Promise<void> {
    const fallBack = otherSlot(slot);
    await this.#variables.clearOverrides();
    await leaveChoiceToOrder(this.#boot);
    const [before, contents] = [await readEntries(this.#boot), await this.#contents(slot)];
    if (!before.some((entry) => entry.slot === fallBack && entry.triesLeft === undefined)) {
      await replaceEntry(this.#boot, fallBack, await this.#contents(fallBack), {
        triesLeft: undefined,
        version: nextVersion(before),
      });
    }
    const version = nextVersion(await readEntries(this.#boot));
    await replaceEntry(this.#boot, slot, contents, { triesLeft: 1, version });
    await this.#sync();
    await this.#expect({ slot, triesLeft: 1 }, { slot: fallBack, triesLeft: undefined });
  }

  makeDefault(slot: SlotId): Promise<void> {
    return this.#named('switch_failed', `${slot} could not be made the default`, () =>
      this.#makeDefault(slot),
    );
  }

  async #makeDefault(slot: SlotId): Promise<void> {
    await this.#variables.clearOverrides();
    await leaveChoiceToOrder(this.#boot);
    const before = await readEntries(this.#boot);
    const [first] = before;
    if (first?.slot !== slot || first.triesLeft !== undefined) {
      const order = { triesLeft: undefined, version: nextVersion(before) };
      await replaceEntry(this.#boot, slot, await this.#contents(slot), order);
    }
    await removeEntries(this.#boot, isCounted);
    await this.#sync();
    await this.#expect({ slot, triesLeft: undefined });
  }

  cancelTry(): Promise<void> {
    const what = 'the choice for the next boot could not be taken back';
    return this.#named('switch_failed', what, () => this.#cancelTry());
  }

  async #cancelTry(): Promise<void> {
    const entries = await readEntries(this.#boot);
    // With nothing else to boot, one that is on trial is better than none.
    if (entries.every(isCounted)) return;
    await removeEntries(this.#boot, isCounted);
    await this.#sync();
    const left = (await readEntries(this.#boot)).find(isCounted);
    if (left === undefined) return;
    throw new BootError(
      'switch_failed',
      `${left.file} is still there after it was removed from the boot entries`,
    );
  }

  reboot(): Promise<void> {
    return this.#setting.reboot([]);
  }

  #running(): { readonly slot: SlotId; readonly root: string } {
    const { booted: slot } = this;
    return { slot, root: `UUID=${this.devices[slot].filesystem?.uuid ?? ''}` };
  }

  async #contents(slot: SlotId): Promise<EntryContents> {
    const entries = await readEntries(this.#boot);
    const contents =
      (await describedKernel(this.#boot, slot)) ?? entries.find((entry) => entry.slot === slot);
    const missing = contents === undefined ? 'its kernel' : await missingFile(this.#boot, contents);
    if (contents !== undefined && missing === undefined) return contents;
    throw new BootError(
      'switch_failed',
      `${slot} cannot be booted: ${missing} is not on the boot partition ${this.#boot}; update once more`,
    );
  }

  /** Reads back what systemd-boot will take first, and what after that one try. */
  async #expect(...wanted: readonly Pick<BootEntry, 'slot' | 'triesLeft'>[]): Promise<void> {
    const entries = await readEntries(this.#boot);
    for (const [at, { slot, triesLeft }] of wanted.entries()) {
      const is = entries[at];
      if (
        is?.slot === slot &&
        is.triesLeft === triesLeft &&
        (await missingFile(this.#boot, is)) === undefined
      )
        continue;
      throw new BootError(
        'switch_failed',
        `the boot entries in ${this.#boot}/loader/entries are not as written: ${is?.file ?? 'nothing'} comes where ` +
          `${slot} should; check the partition (fsck.vfat) and that it is not read-only`,
      );
    }
  }

  #named<T>(code: BootErrorCode, what: string, work: () => Promise<T>): Promise<T> {
    return naming(this.#boot, code, what, work);
  }

  async #sync(): Promise<void> {
    await syncFilesystem(this.#boot, new AbortController().signal);
  }
}

function isCounted(entry: BootEntry): boolean {
  return entry.triesLeft !== undefined;
}

function nextVersion(entries: readonly BootEntry[]): number {
  return Math.max(0, ...entries.map(({ version }) => version)) + 1;
}
