import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { SlotId } from '#boot/slots.ts';
import { DaemonProcess, rebootExitCode } from '../support/daemon-process.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';
import { runOta } from '../support/run-ota.ts';
import { UBootMachine } from '../support/u-boot-machine.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

const numbers = { slot_a: 1, slot_b: 2 } as const;

/** A machine with U-Boot and two slots on a disk, whose daemon is started in the slot that U-Boot boots. */
class Machine {
  readonly daemon: DaemonProcess;
  readonly uBoot: UBootMachine;
  readonly #disk: LoopDisk;
  readonly #optionsFile: string;
  #booted: SlotId = 'slot_a';

  private constructor(disk: LoopDisk, uBoot: UBootMachine, daemon: DaemonProcess, directory: string) {
    this.#disk = disk;
    this.uBoot = uBoot;
    this.daemon = daemon;
    this.#optionsFile = join(directory, 'ota.yml');
  }

  static async create(t: TestContext, directory: string, release: Record<string, string>): Promise<Machine> {
    const kib = 24 * 1024;
    const disk = LoopDisk.create(t, [
      { name: 'slot_a', kib },
      { name: 'slot_b', kib },
    ]);
    for (const number of [1, 2]) disk.format(number, 'ext4', '-O', '^has_journal');
    await disk.inside(1, (root) => makeTree(root, release));
    const uBoot = await UBootMachine.onPath(t);
    const daemon = await DaemonProcess.create(t, {
      directory,
      ecuInfo: 'ecu_id: main\nip_addr: 127.0.0.1\n',
      boot: `{ active_root: /nowhere, boot_directory: ${disk.directory}, mount_directory: ${disk.directory}/run }`,
    });
    return new Machine(disk, uBoot, daemon, directory);
  }

  async powerOn(): Promise<SlotId> {
    this.#booted = await this.uBoot.boot();
    const root = this.#disk.mount(numbers[this.#booted]);
    const text = await readFile(this.#optionsFile, 'utf8');
    await writeFile(this.#optionsFile, text.replace(/active_root: [^,]*/, `active_root: ${root}`));
    this.daemon.start();
    return this.#booted;
  }

  /** Once the daemon has ended. */
  powerOff(): void {
    this.#disk.unmount(numbers[this.#booted]);
  }

  get mounts(): string {
    return execFileSync('findmnt', ['-rno', 'SOURCE,TARGET'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(this.#disk.node))
      .join('\n');
  }
}

describe('a daemon on partitions', { skip: whyNoLoopDisks('findmnt') }, () => {
  it('updates by U-Boot, keeps what is healthy, and reports what never came up', async (t) => {
    const world = await UpdateWorld.create(t);
    const machine = await Machine.create(t, world.directory, { 'etc/fstab': '', 'etc/issue': 'one' });
    const { daemon } = machine;
    await world.publish({ 'etc/fstab': '', 'etc/issue': 'two' });
    const update = { version: '2', url: world.server.origin.href };

    assert.equal(await machine.powerOn(), 'slot_a');
    await daemon.until('INITIALIZED');
    await daemon.update(update);
    assert.equal(await daemon.exitCode(), rebootExitCode);
    machine.powerOff();
    assert.equal(machine.mounts, '');
    // It hangs before the daemon could start, and its watchdog resets it.
    assert.equal(await machine.uBoot.boot(), 'slot_b');
    assert.equal(await machine.powerOn(), 'slot_a');
    const { failure } = await daemon.until('FAILURE');
    assert.match(failure?.reason ?? '', /^E\d+: /);

    const files = ['ecu_info.yml', 'ota.yml'].map((name) => join(world.directory, name));
    const [ecuInfo = '', options = ''] = files;
    const own = ['--ecu-info', ecuInfo, '--options', options];
    const plan = await runOta(t, ['plan', '--url', update.url, '--json', ...own]);
    assert.equal(plan.code, 0, plan.stderr);
    const check = await runOta(t, ['config', 'check', ...own]);
    assert.equal(check.code, 0, check.stderr);
    assert.match(check.stdout, /boot control +u-boot: found: the U-Boot environment has ota_slot=slot_a/);
    assert.match(check.stdout, /slot_a +\/dev\/\S+p1 \(ext4, PARTLABEL=slot_a\), runs/);

    await daemon.update({ ...update, force: true });
    assert.equal(await daemon.exitCode(), rebootExitCode);
    machine.powerOff();
    assert.equal(await machine.powerOn(), 'slot_b');
    await daemon.until('SUCCESS', '2');
    assert.equal(await daemon.end('SIGTERM'), 0);
    machine.powerOff();
    assert.deepEqual([await machine.uBoot.boot(), await machine.uBoot.boot()], ['slot_b', 'slot_b']);
    assert.equal(machine.mounts, '');
  });
});
