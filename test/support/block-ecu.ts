import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import type { BootLoader, LoaderSetting, SlotTree, StatusPlace } from '#boot/boot-loader.ts';
import type { SlotId, Slots } from '#boot/slots.ts';
import { otherSlot } from '#boot/slots.ts';
import { describeDevice } from '#host/block-device.ts';
import { mountsOf } from '#host/stale-mounts.ts';
import { loaderSetting } from './loader-setting.ts';
import { LoopDisk } from './loop-disk.ts';
import { MemoryLog } from './memory-log.ts';

const never = new AbortController().signal;

export interface BlockEcuOptions {
  readonly type?: 'ext4' | 'xfs' | 'btrfs';
  readonly standbyKib?: number;
  readonly standbyArgs?: readonly string[];
  readonly status?: StatusPlace['kind'];
  readonly options?: Partial<LoaderSetting['options']>;
}

const slotNumbers = { slot_a: 1, slot_b: 2 } as const;

/** An ECU whose slots are partitions of a loop disk, with the simplest boot loader there is: a file with two words. */
export class BlockEcu {
  readonly disk: LoopDisk;
  readonly log = new MemoryLog();
  readonly activeRoot: string;
  /** What the loader was asked to do, in order. */
  readonly calls: string[] = [];
  /** Called while the loader installs. */
  onInstall: (tree: SlotTree) => void | Promise<void> = () => {};
  readonly #shared: string;
  readonly #options: BlockEcuOptions;

  private constructor(disk: LoopDisk, activeRoot: string, options: BlockEcuOptions) {
    this.disk = disk;
    this.activeRoot = activeRoot;
    this.#shared = join(disk.directory, 'shared');
    this.#options = options;
  }

  /** Runs from slot_a; slot_b is formatted and empty. */
  static async create(t: TestContext, options: BlockEcuOptions = {}): Promise<BlockEcu> {
    const { type = 'ext4', standbyKib = 65_536, standbyArgs = [] } = options;
    const disk = LoopDisk.create(t, [
      { name: 'slot_a', kib: 65_536 },
      { name: 'slot_b', kib: standbyKib },
    ]);
    disk.format(1, 'ext4', '-L', 'slot_a');
    disk.format(2, type, '-L', 'slot_b', ...standbyArgs);
    const ecu = new BlockEcu(disk, disk.mount(1), options);
    await mkdir(ecu.#shared);
    return ecu;
  }

  /** The same ECU, seen by another process. */
  static attach(directory: string, node: string): BlockEcu {
    const disk = LoopDisk.attach(directory, node);
    return new BlockEcu(disk, join(directory, 'mnt1'), {});
  }

  get choice(): Promise<string> {
    return readFile(join(this.#shared, 'choice'), 'utf8').catch(() => 'slot_a');
  }

  /** Opens the slots as a start of the daemon does. */
  async open(role: 'daemon' | 'reader' = 'daemon', booted: SlotId = 'slot_a'): Promise<Slots> {
    return openBlockSlots(await this.loader(booted), this.setting(), role);
  }

  setting(): LoaderSetting {
    return {
      ...loaderSetting(this.activeRoot, {
        mountDirectory: join(this.disk.directory, 'mounts'),
        ...this.#options.options,
      }),
      log: this.log,
    };
  }

  async loader(booted: SlotId = 'slot_a'): Promise<BootLoader> {
    const devices = {
      slot_a: await describeDevice(this.disk.partition(slotNumbers.slot_a), never),
      slot_b: await describeDevice(this.disk.partition(slotNumbers.slot_b), never),
    };
    const choose = async (choice: string): Promise<void> => {
      this.calls.push(choice);
      // Whatever is still mounted is not yet what the boot loader will find.
      if ((await mountsOf(devices[otherSlot(booted)])).length > 0) this.calls.push('standby still mounted');
      await writeFile(join(this.#shared, 'choice'), choice);
    };
    return {
      name: 'test',
      booted,
      devices,
      status:
        this.#options.status === 'in_slot'
          ? { kind: 'in_slot', path: '/boot/ota-status' }
          : { kind: 'shared', directory: (slot) => join(this.#shared, slot) },
      install: async (tree) => {
        this.calls.push(`install ${tree.slot}`);
        await this.onInstall(tree);
      },
      tryOnce: (slot) => choose(`once ${slot}`),
      makeDefault: (slot) => choose(slot),
      cancelTry: async () => {},
      reboot: async () => {},
    };
  }
}
