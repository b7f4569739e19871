import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findSlotDevices } from '#boot/slot-devices.ts';
import { blockWorld, smallRelease, updateBlockEcu } from '../support/block-world.ts';
import { loaderSetting } from '../support/loader-setting.ts';
import { whyNoLoopDisks } from '../support/loop-disk.ts';
import { programsOnPath } from '../support/programs.ts';

const never = new AbortController().signal;

describe('a standby partition', { skip: whyNoLoopDisks('dumpe2fs', 'e2fsck') }, () => {
  it('takes a release that just fits, and refuses one block more untouched', async (t) => {
    const [ecu, site] = await blockWorld(t, { standbyKib: 12_288 });
    await site.publish({ ...smallRelease, pad: randomBytes(20_480_000) });
    await using slots = await ecu.open();
    const refusal = async (): Promise<{ needed: number; room: number }> => {
      const error = await site.update({ slots }).then(
        () => assert.fail('it fits'),
        (failure: unknown) => failure,
      );
      await slots.record('FAILURE', undefined);
      const [, needed, room] = /needs (\d+) bytes .* room for (\d+)/.exec(String(error)) ?? [];
      return { needed: Number(needed), room: Number(room) };
    };
    const { needed, room } = await refusal();
    const { bsize } = await ecu.disk.inside(2, (root) => statfs(root));
    const fits = 20_480_000 - Math.ceil((needed - room) / bsize) * bsize;
    await site.publish({ ...smallRelease, pad: randomBytes(fits + 1) });
    const before = ecu.disk.digest(2);
    assert.ok((await refusal()).needed - room <= bsize);
    assert.equal(ecu.disk.digest(2), before);
    await site.publish({ ...smallRelease, pad: randomBytes(fits) });
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
    const { bavail } = await ecu.disk.inside(2, (root) => statfs(root));
    assert.ok(bavail * bsize < 1024 * 1024, 'no more than 1 MiB was asked for too much');
  });

  it('is refused untouched when the release does not fit', async (t) => {
    const [ecu, site] = await blockWorld(t, { standbyKib: 8192 });
    await ecu.disk.inside(2, (root) => writeFile(join(root, 'old'), 'old'));
    const before = ecu.disk.digest(2);
    await site.publish({ big: randomBytes(9_000_000) });
    await using slots = await ecu.open();
    await assert.rejects(site.update({ slots }), { code: 'standby_slot_full' });
    await slots.record('FAILURE', { type: 'RECOVERABLE', reason: 'r', traceback: '' });
    assert.equal(ecu.disk.digest(2), before);
  });

  it('is not booted when it has errors after it was written', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const { tree } = await site.update({ slots });
    const fake = await programsOnPath(t, { e2fsck: 'echo "Inode 12 has a bad block"; exit 4' });
    const staged = { version: '2', detail: undefined, imageDigest: 'd' };
    await assert.rejects(slots.activate(tree, staged), {
      code: 'switch_failed',
      message: /Inode 12 has a bad block/,
    });
    assert.equal(await ecu.choice, 'slot_a');
    await slots.record('FAILURE', undefined);
    await rm(join(fake, 'e2fsck'));
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
  });

  it('is weighed on the safe side where there are no loop devices', async (t) => {
    const [ecu, site] = await blockWorld(t, { options: { reuse: false } });
    await programsOnPath(t, {
      mount:
        'case "$*" in *loop,rw*) echo "no loop devices" >&2; exit 1;; esac; PATH=${PATH#*:}; exec mount "$@"',
    });
    await site.publish({ big: randomBytes(61_000_000) });
    await using slots = await ecu.open();
    await assert.rejects(site.update({ slots }), { code: 'standby_slot_full' });
    await slots.record('FAILURE', undefined);
    await site.publish(smallRelease);
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
  });

  it('keeps its names over a power cut while it is formatted', async (t) => {
    const [ecu, site] = await blockWorld(t, { options: { reuse: false } });
    const before = (await ecu.loader()).devices.slot_b;
    const fake = await programsOnPath(t, {
      'mkfs.ext4': `for last; do :; done
        case $last in
          /dev/loop*) wipefs -q -a "$last"; exit 1;;
          *) PATH=\${PATH#*:}; exec mkfs.ext4 "$@";;
        esac`,
    });
    await site.publish(smallRelease);
    await assert.rejects(updateBlockEcu(ecu, site), { code: 'boot_control_prepare' });
    await rm(join(fake, 'mkfs.ext4'));
    assert.equal((await ecu.loader()).devices.slot_b.filesystem, undefined);
    const setting = loaderSetting(ecu.activeRoot);
    assert.equal((await findSlotDevices(setting, never)).devices.slot_b.path, before.path);
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
    assert.deepEqual((await ecu.loader()).devices.slot_b.filesystem, before.filesystem);
  });

  it('is looked at beside the daemon without being changed', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await ecu.disk.inside(2, (root) => writeFile(join(root, 'old'), 'old'));
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const before = ecu.disk.digest(2);
    {
      await using reader = await ecu.open('reader');
      const { root, fresh } = await reader.look(never);
      assert.equal(await readFile(join(root, 'old'), 'utf8'), 'old');
      assert.equal(fresh, undefined);
    }
    assert.equal(ecu.disk.digest(2), before);
    await slots.prepare(never);
    {
      await using reader = await ecu.open('reader');
      const { root } = await reader.look(never);
      assert.equal(await readFile(join(root, 'old'), 'utf8'), 'old', 'also in the middle of an update');
      await assert.rejects(writeFile(join(root, 'new'), ''), { code: 'EROFS' });
    }
    await slots.record('FAILURE', undefined);
    execFileSync('wipefs', ['-q', '-a', ecu.disk.partition(2)]);
    await using reader = await ecu.open('reader');
    assert.ok(((await reader.look(never)).fresh?.bytes ?? 0) > 40_000_000);
  });

  it('is named when it is write-protected', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    execFileSync('blockdev', ['--setro', ecu.disk.partition(2)]);
    await assert.rejects(slots.prepare(never), { code: 'prepare_failed', message: /read only/ });
    execFileSync('blockdev', ['--setrw', ecu.disk.partition(2)]);
  });

  it('is refused untouched, by the name of what is in it, when that is no file system', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    const node = ecu.disk.partition(2);
    execFileSync('wipefs', ['-q', '-a', node]);
    execFileSync('mkswap', ['-q', node]);
    const before = ecu.disk.digest(2);
    await using slots = await ecu.open();
    const refusal = {
      code: 'prepare_failed',
      message: new RegExp(`standby partition ${node} holds no file system but swap.*wipefs -a ${node}`),
    };
    await assert.rejects(slots.look(never), refusal);
    await assert.rejects(slots.prepare(never), refusal);
    {
      await using reader = await ecu.open('reader');
      await assert.rejects(reader.look(never), refusal);
    }
    assert.equal(ecu.disk.digest(2), before);
    execFileSync('wipefs', ['-q', '-a', node]);
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
  });

  it('is refused untouched when the running release mounts it at every start: it holds data', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    await ecu.disk.inside(2, (root) => writeFile(join(root, 'photo'), 'of a home directory'));
    const before = ecu.disk.digest(2);
    const { filesystem, partUuid } = (await ecu.loader()).devices.slot_b;
    const fstab = join(ecu.activeRoot, 'etc/fstab');
    await mkdir(join(ecu.activeRoot, 'etc'));
    const byName = join(ecu.disk.directory, 'by-name');
    await symlink(ecu.disk.partition(2), byName);
    await using slots = await ecu.open();
    for (const spec of [
      `UUID=${filesystem?.uuid}`,
      `PARTUUID="${partUuid.toUpperCase()}"`,
      'LABEL=slot_b',
      ecu.disk.partition(2),
      byName,
    ]) {
      await writeFile(fstab, `# own\n${spec} /home ext4 defaults 0 2\r\n`);
      const refusal = {
        code: 'prepare_failed',
        message: /mounts the standby partition .* at \/home.*boot\.slot_b/,
      };
      await assert.rejects(slots.look(never), refusal, spec);
      await assert.rejects(slots.prepare(never), refusal, spec);
    }
    assert.equal(ecu.disk.digest(2), before);
    // Neither is mounted at a start.
    await writeFile(fstab, 'LABEL=slot_b / ext4 defaults 0 1\nLABEL=slot_b /mnt ext4 noauto,ro 0 0\n');
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
  });
});
