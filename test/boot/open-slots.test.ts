import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { openSlots, readSlots } from '#boot/open-slots.ts';
import type { SlotId, Slots } from '#boot/slots.ts';
import type { Bootloader } from '#config/ecu-info.ts';
import { parseEcuInfo } from '#config/ecu-info.ts';
import { parseOptions } from '#config/options.ts';
import { CommandMachine } from '../support/command-machine.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';
import { MemoryLog } from '../support/memory-log.ts';

const never = new AbortController().signal;
const numbers = { slot_a: 1, slot_b: 2 } as const;

/** An ECU with two slots on a disk. Each `start` is one of its daemon, from the slot that the boot loader booted. */
class TwoSlotEcu {
  readonly log = new MemoryLog();
  readonly reboots: string[] = [];
  readonly #disk: LoopDisk;
  readonly #bootloader: Bootloader;
  readonly #options: string;

  constructor(t: TestContext, bootloader: Bootloader, options = '') {
    const kib = 24 * 1024;
    this.#disk = LoopDisk.create(t, [
      { name: 'slot_a', kib },
      { name: 'slot_b', kib },
    ]);
    for (const number of [1, 2]) this.#disk.format(number, 'ext4', '-O', '^has_journal');
    this.#bootloader = bootloader;
    this.#options = options;
  }

  async deliver(): Promise<void> {
    await this.#disk.inside(1, (root) => writeTree(root, 'one'));
  }

  /** One life of the daemon; gives what it told. */
  async start<T>(
    booted: SlotId,
    life: (slots: Slots) => Promise<T>,
    role: 'daemon' | 'reader' = 'daemon',
  ): Promise<T> {
    const root = this.#disk.mount(numbers[booted]);
    try {
      const ecu = parseEcuInfo(`ecu_id: a\nbootloader: ${this.#bootloader}\n`, 'ecu_info.yml');
      const { options, problem } = parseOptions(
        `boot: { active_root: ${root}, boot_directory: ${this.#disk.directory}, mount_directory: ${this.#disk.directory}/run,
          ${this.#options} }`,
        'ota.yml',
        {},
      );
      assert.equal(problem, undefined);
      const source = { config: { ecuInfo: ecu.ecuInfo, options, set: [] }, log: this.log };
      const reboot = async (target: string): Promise<void> => void this.reboots.push(target);
      await using slots = role === 'daemon' ? await openSlots(source, reboot) : await readSlots(source);
      return await life(slots);
    } finally {
      this.#disk.unmount(numbers[booted]);
    }
  }

  async update(booted: SlotId, version: string): Promise<void> {
    await this.start(booted, async (slots) => {
      const tree = await slots.prepare(never);
      await writeTree(tree.root, version);
      await slots.activate(tree, { version, detail: undefined, imageDigest: '' });
      await slots.reboot();
    });
  }

  verdict(booted: SlotId): Promise<string> {
    return this.start(booted, async (slots) => (await slots.judge()).kind);
  }

  fstab(booted: SlotId): Promise<string> {
    return this.start(booted, (slots) => readFile(join(slots.activeRoot, 'etc/fstab'), 'utf8'));
  }
}

async function writeTree(root: string, version: string): Promise<void> {
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/version'), version);
  await writeFile(join(root, 'etc/fstab'), '/dev/sda1 / ext4 defaults 0 1\n');
}

/** An update that falls back, one that is confirmed, and a rollback that is confirmed. */
async function liveThrough(ecu: TwoSlotEcu, boot: () => Promise<SlotId>): Promise<void> {
  await ecu.deliver();
  assert.equal(await ecu.verdict(await boot()), 'ordinary');
  await ecu.update('slot_a', 'two');
  assert.deepEqual(ecu.reboots, ['daemon'], 'never the machine that the disk is only looked at from');
  assert.deepEqual([await boot(), await boot()], ['slot_b', 'slot_a']);
  assert.equal(await ecu.verdict('slot_a'), 'fell_back');
  await ecu.start('slot_a', (slots) => slots.record('FAILURE', undefined));
  await ecu.update('slot_a', 'three');
  assert.equal(await boot(), 'slot_b');
  assert.match(await ecu.fstab('slot_b'), /^UUID=\S+ \/ ext4 /);
  assert.equal(await ecu.verdict('slot_b'), 'first_boot');
  await ecu.start('slot_b', (slots) => slots.confirm());
  assert.deepEqual([await boot(), await boot()], ['slot_b', 'slot_b']);
  await ecu.start('slot_b', (slots) => slots.rollBack());
  assert.equal(await boot(), 'slot_a');
  assert.equal(await ecu.verdict('slot_a'), 'first_boot');
  await ecu.start('slot_a', (slots) => slots.confirm());
  assert.deepEqual([await boot(), await boot()], ['slot_a', 'slot_a']);
  const seen = await ecu.start('slot_a', async (slots) => (await slots.look(never)).slot, 'reader');
  assert.equal(seen, 'slot_b');
}

describe('slots on partitions', { skip: whyNoLoopDisks() }, () => {
  it("are switched, fallen back from, confirmed and rolled back with an integrator's executable", async (t) => {
    const machine = await CommandMachine.create(t);
    const ecu = new TwoSlotEcu(t, 'command', `command: { path: ${machine.path} }`);
    await liveThrough(ecu, () => machine.boot());
  });

  it('reboot the machine that runs from a place which is not its own "/"', async (t) => {
    const machine = await CommandMachine.create(t);
    const options = `runs_machine: true, command: { path: ${machine.path} }`;
    const ecu = new TwoSlotEcu(t, 'command', options);
    await ecu.deliver();
    assert.equal(await ecu.verdict(await machine.boot()), 'ordinary');
    await ecu.update('slot_a', 'two');
    assert.deepEqual(ecu.reboots, ['machine']);
  });
});
