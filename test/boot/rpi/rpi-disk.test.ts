import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import { BootError } from '#boot/boot-error.ts';
import { rpi } from '#boot/rpi/rpi.ts';
import type { SlotId, Slots } from '#boot/slots.ts';
import { BackCarrier } from '#update/rollback/back-carrier.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { LoopDisk, whyNoLoopDisks } from '../../support/loop-disk.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { RpiFirmware } from '../../support/rpi-firmware.ts';
import { makeTree } from '../../support/update-world.ts';

const never = new AbortController().signal;
const partitions = { slot_a: 2, slot_b: 3 } as const;

interface Vehicle {
  readonly disk: LoopDisk;
  readonly firmware: RpiFirmware;
  readonly reboots: (readonly string[])[];
  /** Starts the daemon in a slot; `end` is the end of that boot. */
  readonly start: (
    booted: SlotId,
  ) => Promise<{ readonly slots: Slots; readonly root: string; readonly end: () => Promise<void> }>;
}

/** A disk as an existing client left it: slot_b runs release 2, which it installed while release 1 ran in slot_a. */
async function vehicle(t: TestContext): Promise<Vehicle> {
  const disk = LoopDisk.create(t, [
    { name: 'system-boot', kib: 1024 },
    { name: 'one', kib: 32_768 },
    { name: 'two', kib: 32_768 },
  ]);
  // A directory for the FAT partition, which not every kernel has.
  const bootDirectory = join(disk.directory, 'boot');
  const firmware = await RpiFirmware.laidOut(join(bootDirectory, 'firmware'));
  await copyFile(
    join(bootDirectory, 'firmware/config.txt_slot_b'),
    join(bootDirectory, 'firmware/config.txt'),
  );
  const status = { 'boot/ota-status/slot_in_use': 'slot_b' };
  for (const [slot, words] of [
    ['slot_a', { 'boot/ota-status/status': 'FAILURE', 'var/lib/map': 'old map', version: '1' }],
    [
      'slot_b',
      { 'boot/ota-status/status': 'SUCCESS', 'boot/ota-status/version': '2.0', 'var/lib/map': 'new map' },
    ],
  ] as const) {
    disk.format(partitions[slot], 'ext4', '-L', slot);
    await disk.inside(partitions[slot], (root) => makeTree(root, { ...status, ...words }));
  }
  const reboots: (readonly string[])[] = [];
  return {
    disk,
    firmware,
    reboots,
    start: async (booted) => {
      const root = disk.mount(partitions[booted]);
      const setting = {
        ...loaderSetting(root, { mountDirectory: join(disk.directory, 'mounts') }),
        bootDirectory,
        reboot: async (args: readonly string[]) => {
          reboots.push(args);
        },
      };
      const slots = await openBlockSlots(await rpi.open(setting, 'daemon'), setting, 'daemon');
      const end = async (): Promise<void> => {
        await slots[Symbol.asyncDispose]();
        disk.unmount(partitions[booted]);
      };
      return { slots, root, end };
    },
  };
}

test('a disk of an existing client is gone back on, with files, and updated', {
  skip: whyNoLoopDisks(),
}, async (t) => {
  const { disk, firmware, reboots, start } = await vehicle(t);
  const first = await start('slot_b');
  assert.equal((await first.slots.current()).version, '2.0');
  assert.equal((await first.slots.rollbackTarget()).id, 'slot_a');
  const back = new BackCarrier({ slots: first.slots, paths: ['/var/lib/map'], log: new MemoryLog() });
  await first.slots.rollBack(back.intoOldRelease);
  await first.slots.reboot();
  await first.end();
  assert.deepEqual(reboots, [['0 tryboot']]);
  assert.equal((await firmware.boot(reboots[0])).root, 'LABEL=slot_a');

  const second = await start('slot_a');
  assert.deepEqual(await second.slots.judge(), { kind: 'first_boot', of: 'rollback' });
  assert.equal(await readFile(join(second.root, 'var/lib/map'), 'utf8'), 'new map');
  await second.slots.confirm();
  await new BackCarrier({ slots: second.slots, paths: [], log: new MemoryLog() }).settle();
  assert.ok(!(await readdir(second.root)).includes('.ota-rollback'));
  assert.equal(await readFile(join(second.root, 'boot/ota-status/status'), 'utf8'), 'SUCCESS');
  assert.equal((await firmware.boot()).root, 'LABEL=slot_a', 'a power cycle stays');

  const tree = await second.slots.prepare(never);
  await makeTree(tree.root, {
    'boot/vmlinuz-6.8.0-1-raspi': 'kernel 3',
    'boot/initrd.img-6.8.0-1-raspi': 'initrd 3',
    'etc/fstab': '# none\n',
  });
  await second.slots.activate(tree, { version: '3.0', detail: undefined, imageDigest: 'd3' });
  await second.slots.reboot();
  await second.end();
  assert.deepEqual(await firmware.boot(reboots[1]), { kernel: 'kernel 3', root: 'LABEL=slot_b' });
  assert.equal((await firmware.boot()).root, 'LABEL=slot_a');

  // It did not come up: the old release finds that out by itself, and can be updated again.
  const third = await start('slot_a');
  const verdict = await third.slots.judge();
  assert.ok(verdict.kind === 'fell_back' && verdict.of === 'update');
  await third.slots.record('FAILURE', undefined);
  await assert.rejects(third.slots.rollbackTarget(), { code: 'rollback_refused' });
  await third.end();
  await disk.inside(3, async (root) => {
    assert.equal(await readFile(join(root, 'boot/ota-status/status'), 'utf8'), 'FAILURE');
    assert.match(await readFile(join(root, 'etc/fstab'), 'utf8'), /^LABEL=slot_b \/ ext4 /);
  });
});

test('a rollback that is cut off by the power leaves the old release as it was', {
  skip: whyNoLoopDisks(),
}, async (t) => {
  const { disk, firmware, start } = await vehicle(t);
  const first = await start('slot_b');
  const back = new BackCarrier({ slots: first.slots, paths: ['/var/lib/map'], log: new MemoryLog() });
  await first.slots
    .rollBack(async (root) => {
      await back.intoOldRelease?.(root);
      throw new Error('the power went');
    })
    .catch(() => {});
  await first.end();
  assert.equal((await firmware.boot()).root, 'LABEL=slot_b');
  const second = await start('slot_b');
  const verdict = await second.slots.judge();
  assert.ok(verdict.kind === 'fell_back' && verdict.of === 'rollback');
  await new BackCarrier({ slots: second.slots, paths: [], log: new MemoryLog() }).undo();
  await second.end();
  await disk.inside(2, async (root) => {
    await mkdir(join(root, 'probe'));
    assert.equal(await readFile(join(root, 'var/lib/map'), 'utf8'), 'old map');
    assert.ok(!(await readdir(root)).includes('.ota-rollback'));
    await writeFile(join(root, 'probe/x'), '');
  });
});

test('a boot partition that is not mounted, or read only, is named before anything is written', {
  skip: whyNoLoopDisks(),
}, async (t) => {
  const { disk } = await vehicle(t);
  disk.format(1, 'ext4');
  const root = disk.mount(partitions.slot_a);
  const setting = loaderSetting(root);
  // What an image has in the place of the boot partition.
  await RpiFirmware.laidOut(join(setting.bootDirectory, 'firmware'));
  await assert.rejects(rpi.open(setting, 'daemon'), (error) => {
    assert.ok(error instanceof BootError);
    assert.equal(error.code, 'startup_failed');
    assert.match(error.message, /boot\/firmware lies inside slot_a .*; mount the boot partition there/);
    return true;
  });
  const bootDirectory = disk.mount(1);
  await RpiFirmware.laidOut(bootDirectory);
  disk.unmount(1);
  disk.mount(1, 'ro');
  await assert.rejects(
    rpi.open({ ...setting, bootDirectory }, 'daemon'),
    /boot partition cannot be written to/,
  );
  await rpi.open({ ...setting, bootDirectory }, 'reader');
});
