import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import { grub } from '#boot/grub/grub.ts';
import type { Slots } from '#boot/slots.ts';
import type { GrubDisk } from '../../support/grub-disk.ts';
import { grubDisk, noGrubDisk } from '../../support/grub-disk.ts';
import {
  distributionDisk,
  partitionFoldersDisk,
  putKernelFiles,
  slotFoldersDisk,
} from '../../support/grub-layouts.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const never = new AbortController().signal;

/** Large files leave blocks over that small ones still get. */
const fill =
  'exec 2>&1; cd "$1"; cat /dev/zero > fill; n=0; while echo x > fill$n; do n=$((n + 1)); done; sync';

function openSlots(disk: GrubDisk, mountDirectory: string): Promise<Slots> {
  const setting = loaderSetting(disk.root, { mountDirectory });
  return grub.open(setting, 'daemon').then((loader) => openBlockSlots(loader, setting, 'daemon'));
}

/** As the engine does it: the whole tree, then the switch. */
async function update(slots: Slots, disk: GrubDisk, version: string): Promise<void> {
  const tree = await slots.prepare(never);
  await cp(join(disk.root, 'etc'), join(tree.root, 'etc'), { recursive: true });
  await putKernelFiles(join(tree.root, 'boot'), `${version}.0-1-amd64`);
  await writeFile(join(tree.root, 'release'), version);
  await slots.activate(tree, { version, detail: undefined, imageDigest: version });
}

const skip = noGrubDisk() || missingPrograms('unshare', 'nsenter');

describe('an ECU that boots by GRUB', { skip }, () => {
  it('updates, returns from a release that did not come up, and goes back', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const mounts = await scratchDirectory(t);
    {
      await using slots = await openSlots(disk, mounts);
      assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'INITIALIZED', failure: undefined });
      await update(slots, disk, '7.1');
    }
    assert.equal(await disk.restart(), 'slot_b');
    assert.equal(await readFile(join(disk.root, 'release'), 'utf8'), '7.1');
    // Nobody confirms it.
    assert.equal(await disk.restart(), 'slot_a');
    {
      await using slots = await openSlots(disk, mounts);
      assert.equal((await slots.judge()).kind, 'fell_back');
      await slots.record('FAILURE', undefined);
      await update(slots, disk, '7.2');
    }
    assert.equal(await disk.restart(), 'slot_b');
    {
      await using slots = await openSlots(disk, mounts);
      assert.deepEqual(await slots.judge(), { kind: 'first_boot', of: 'update' });
      await slots.confirm();
    }
    assert.equal(await disk.restart(), 'slot_b');
    {
      await using slots = await openSlots(disk, mounts);
      assert.equal((await slots.current()).version, '7.2');
      assert.equal((await slots.standby()).intact, true);
      await slots.rollBack();
    }
    assert.equal(await disk.restart(), 'slot_a');
    {
      await using slots = await openSlots(disk, mounts);
      assert.deepEqual(await slots.judge(), { kind: 'first_boot', of: 'rollback' });
      await slots.confirm();
    }
    assert.equal(await disk.restart(), 'slot_a');
    assert.equal(await readFile(join(disk.boot, 'ota-slot_a/status'), 'utf8'), 'SUCCESS');
  });

  it('goes back to the release that an existing client left, of either generation', async (t) => {
    const left = (slotInUse: string) => ({
      slot_a: { status: 'FAILURE', version: '1', slotInUse },
      slot_b: { status: 'SUCCESS', version: '2', slotInUse },
    });
    for (const generation of ['slot folders', 'partition folders']) {
      const disk = await grubDisk(t, { booted: 'slot_b' });
      if (generation === 'slot folders') {
        await slotFoldersDisk(disk, 'slot_b', left('ota-slot_b'), { saved_entry: 'ota-slot_b' });
        await writeFile(join(disk.boot, 'ota-partition.sda2'), 'no folder');
      } else {
        await partitionFoldersDisk(disk, { booted: 'slot_b', standard: 'slot_b' }, left('sda3'));
      }
      const mounts = await scratchDirectory(t);
      {
        await using slots = await openSlots(disk, mounts);
        assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'SUCCESS', failure: undefined });
        assert.equal((await slots.current()).version, '2');
        assert.equal((await slots.rollbackTarget()).version, '1', generation);
        await slots.rollBack();
      }
      assert.equal(await disk.restart(), 'slot_a');
      await using slots = await openSlots(disk, mounts);
      assert.deepEqual(await slots.judge(), { kind: 'first_boot', of: 'rollback' }, generation);
    }
  });

  it('keeps the status files of the first generation of existing clients in step, where they are', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await partitionFoldersDisk(
      disk,
      { booted: 'slot_b', standard: 'slot_b' },
      {
        slot_a: { status: 'FAILURE', version: '1', slotInUse: 'sda3' },
        slot_b: { status: 'SUCCESS', version: '2', slotInUse: 'sda3' },
      },
    );
    const said = async (): Promise<readonly string[]> => {
      const lines: string[] = [];
      for (const folder of ['ota-partition.sda2', 'ota-partition.sda3']) {
        const texts = ['status', 'slot_in_use', 'version', 'version_detail'].map((name) =>
          readFile(join(disk.boot, folder, name), 'utf8').catch(() => '-'),
        );
        lines.push((await Promise.all(texts)).join(' '));
      }
      return lines;
    };
    // Left by others: the folder that counts has the fixed letters.
    await mkdir(join(disk.boot, 'ota-partition.nvme0n1p2'));
    const mounts = await scratchDirectory(t);
    {
      await using slots = await openSlots(disk, mounts);
      await slots.rollBack();
      assert.deepEqual(await said(), ['ROLLBACKING sda2 1 -', 'ROLLBACK_FAILURE sda2 2 -']);
      // Nobody was there to confirm it.
      await slots.record('ROLLBACK_FAILURE', undefined);
      const tree = await slots.prepare(never);
      assert.deepEqual(await said(), ['- - - -', 'FAILURE sda2 2 -']);
      await cp(join(disk.root, 'etc'), join(tree.root, 'etc'), { recursive: true });
      await putKernelFiles(join(tree.root, 'boot'), '7.1.0-1-amd64');
      const detail = { releaseName: 'r', releaseId: '3', imageId: 'i' };
      await slots.activate(tree, { version: '3', detail, imageDigest: '3' });
      const json = '{"release_name":"r","release_id":"3","image_id":"i"}';
      assert.deepEqual(await said(), [`UPDATING sda2 3 ${json}`, 'FAILURE sda2 2 -']);
    }
    await disk.restart();
    await using slots = await openSlots(disk, mounts);
    await slots.confirm();
    assert.equal((await said())[0]?.slice(0, 12), 'SUCCESS sda2');
    assert.ok(!(await readdir(join(disk.boot, 'ota-partition.sda2'))).includes('slot'), 'no files of ours');
  });

  it('starts with a full boot partition as before, and says of an update that it is full', async (t) => {
    const disk = await grubDisk(t, { bootMib: 12 });
    await distributionDisk(disk);
    const mounts = await scratchDirectory(t);
    await (await openSlots(disk, mounts))[Symbol.asyncDispose]();
    disk.run('sh', '-c', fill, 'sh', disk.boot);
    await using slots = await openSlots(disk, mounts);
    assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'INITIALIZED', failure: undefined });
    await assert.rejects(
      slots.prepare(never),
      /ota-slot_a\/slot_in_use could not be written: ENOSPC.*; the file system of .*\/ota-slot_a is full: remove/,
    );
    assert.deepEqual(await slots.judge(), { kind: 'ordinary', status: 'INITIALIZED', failure: undefined });
    assert.equal(await disk.restart(), 'slot_a');
  });
});
