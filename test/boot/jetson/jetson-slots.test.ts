import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import { jetsonUefi } from '#boot/jetson/jetson.ts';
import { findJetsonSlots } from '#boot/jetson/jetson-slots.ts';
import { lookAtRollback } from '#update/rollback/look-at-rollback.ts';
import { JetsonFirmware } from '../../support/jetson-firmware.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { LoopDisk, whyNoLoopDisks } from '../../support/loop-disk.ts';

const kib = 2048;

describe('slots of a Jetson', { skip: whyNoLoopDisks() }, () => {
  it('are the first two partitions of the disk that runs', async (t) => {
    const disk = LoopDisk.create(t, [
      { name: 'APP', kib },
      { name: 'APP_b', kib },
      { name: 'esp', kib },
    ]);
    disk.format(2, 'ext4', '-O', '^has_journal');
    const root = disk.mount(2);
    const devices = await findJetsonSlots('slot_b', loaderSetting(root));
    assert.deepEqual([devices.slot_a.path, devices.slot_b.path], [disk.partition(1), disk.partition(2)]);
    await assert.rejects(findJetsonSlots('slot_a', loaderSetting(root)), {
      code: 'startup_failed',
      message: /nvbootctrl says that slot_a .* runs, but the running release lies on .*p2 \(slot_b\)/,
    });
    const elsewhere = loaderSetting(root, { slotA: disk.partition(2), slotB: disk.partition(3) });
    assert.equal((await findJetsonSlots('slot_a', elsewhere)).slot_b.path, disk.partition(3));
  });

  it('must be two', async (t) => {
    const disk = LoopDisk.create(t, [{ name: 'APP', kib }]);
    disk.format(1, 'ext4', '-O', '^has_journal');
    await assert.rejects(findJetsonSlots('slot_a', loaderSetting(disk.mount(1))), {
      code: 'startup_failed',
      message: /has no partition 2 for slot_b; flash this ECU with two root file systems/,
    });
  });

  it('have the words of existing clients, by number', async (t) => {
    const firmware = await JetsonFirmware.onPath(t);
    const disk = LoopDisk.create(t, [
      { name: 'APP', kib: 8192 },
      { name: 'APP_b', kib: 8192 },
    ]);
    for (const [number, status] of [
      [1, 'FAILURE'],
      [2, 'SUCCESS'],
    ] as const) {
      disk.format(number, 'ext4');
      await disk.inside(number, async (root) => {
        await mkdir(join(root, 'boot/ota-status'), { recursive: true });
        await writeFile(join(root, 'boot/ota-status/status'), status);
        await writeFile(join(root, 'boot/ota-status/slot_in_use'), '1');
      });
    }
    await firmware.set('current', '1');
    await firmware.set('active-bootloader', '1');
    const root = disk.mount(2);
    await writeFile(join(root, 'boot/x'), '');
    const setting = loaderSetting(root, { mountDirectory: join(disk.directory, 'mounts') });
    const slots = await openBlockSlots(await jetsonUefi.open(setting, 'daemon'), setting, 'daemon');
    try {
      assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'SUCCESS', failure: undefined });
      assert.equal((await slots.rollbackTarget()).id, 'slot_a');
      const reader = await openBlockSlots(await jetsonUefi.open(setting, 'reader'), setting, 'reader');
      try {
        const outlook = await lookAtRollback(reader, ['/boot/x'], new AbortController().signal);
        assert.deepEqual(
          [outlook.refusal, outlook.files],
          [undefined, [{ change: 'new', path: '/boot/x', bytes: 0 }]],
        );
      } finally {
        await reader[Symbol.asyncDispose]();
      }
      await slots.rollBack();
      assert.equal(await firmware.get('active-bootloader'), '0');
    } finally {
      await slots[Symbol.asyncDispose]();
    }
  });
});
