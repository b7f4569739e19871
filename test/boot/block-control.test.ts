import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openBlockSlots } from '#boot/block-control.ts';
import { OtaFailure } from '#domain/failure.ts';
import { BlockEcu } from '../support/block-ecu.ts';
import { blockWorld, mountsWith, smallRelease, updateBlockEcu } from '../support/block-world.ts';
import { whyNoLoopDisks } from '../support/loop-disk.ts';
import { programsOnPath } from '../support/programs.ts';

const never = new AbortController().signal;
const skip = whyNoLoopDisks('dumpe2fs', 'e2fsck');

/** That files have blocks in common. */
async function assertShared(ecu: BlockEcu, paths: readonly string[]): Promise<void> {
  await ecu.disk.inside(2, (root) => {
    for (const path of paths) {
      const extents = execFileSync('filefrag', ['-v', join(root, path)], { encoding: 'utf8' });
      assert.match(extents, /shared/, path);
    }
  });
}

for (const type of ['ext4', 'xfs', 'btrfs'] as const) {
  const standbyKib = { ext4: 65_536, xfs: 350_000, btrfs: 131_072 }[type];
  describe(`a standby slot with ${type}`, { skip: skip || whyNoLoopDisks(`mkfs.${type}`) }, () => {
    it('gets the release, is unmounted, and only then booted; in place the second time', async (t) => {
      const [ecu, site] = await blockWorld(t, { type, standbyKib });
      await site.publish(smallRelease);
      assert.deepEqual(await updateBlockEcu(ecu, site), []);
      assert.deepEqual(ecu.calls, ['install slot_b', 'once slot_b']);
      assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
      await site.publish({ ...smallRelease, 'etc/name': 'three', 'usr/lib/new': randomBytes(50_000) });
      site.sent = 0;
      assert.deepEqual(await updateBlockEcu(ecu, site), []);
      if (type !== 'ext4') await assertShared(ecu, ['usr/lib/twin', 'usr/lib/twin-too']);
      assert.ok(site.sent < 120_000, 'what the slot held was not downloaded again');
      assert.doesNotMatch(ecu.log.lines.join('\n'), /formatted/);
    });

    it('is not booted when the last look forbids it, be it after the check of the file system; and can be next time', async (t) => {
      const [ecu, site] = await blockWorld(t, { type, standbyKib });
      await site.publish(smallRelease);
      await using slots = await ecu.open();
      const { image, tree } = await site.update({ slots });
      const release = { version: '2', detail: undefined, imageDigest: image.digest };
      const held = new OtaFailure('vehicle_state', 'moving');
      for (const lookThatThrows of [1, 2]) {
        let looks = 0;
        const look = () => {
          looks += 1;
          if (looks === lookThatThrows) throw held;
        };
        await assert.rejects(slots.activate(tree, release, look), held);
        assert.equal(looks, lookThatThrows);
      }
      assert.deepEqual(ecu.calls, ['install slot_b', 'install slot_b']);
      await slots.activate(tree, release, () => {});
      assert.deepEqual(ecu.calls.slice(2), ['install slot_b', 'once slot_b']);
      assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
    });

    it('is formatted when it has errors, and keeps UUID and label', async (t) => {
      const [ecu, site] = await blockWorld(t, { type, standbyKib });
      const before = ecu.loader().then(({ devices }) => devices.slot_b.filesystem);
      await before;
      await ecu.disk.inside(2, (root) => writeFile(join(root, 'old'), 'old'));
      damage(ecu.disk.partition(2), type);
      await site.publish(smallRelease);
      assert.deepEqual(await updateBlockEcu(ecu, site), []);
      assert.deepEqual((await ecu.loader()).devices.slot_b.filesystem, await before);
      assert.match(ecu.log.lines.join('\n'), /slot_b is formatted/);
    });
  });
}

/** Breaks metadata so that the checker complains. */
function damage(node: string, type: 'ext4' | 'xfs' | 'btrfs'): void {
  if (type === 'ext4') execFileSync('debugfs', ['-w', '-R', 'clri <2>', node], { stdio: 'ignore' });
  else if (type === 'xfs')
    execFileSync('xfs_db', ['-x', '-c', 'sb 0', '-c', 'write rootino 77', node], { stdio: 'ignore' });
  else
    execFileSync('dd', [
      'if=/dev/urandom',
      `of=${node}`,
      'bs=64k',
      'seek=320',
      'count=800',
      'status=none',
      'conv=notrunc',
    ]);
}

describe('a standby slot on a block device', { skip }, () => {
  it('keeps its status files inside the slot where the boot loader wants them there', async (t) => {
    const [ecu, site] = await blockWorld(t, { status: 'in_slot' });
    await site.publish(smallRelease);
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
    const word = await ecu.disk.inside(2, (root) => readFile(join(root, 'boot/ota-status/status'), 'utf8'));
    assert.equal(word, 'UPDATING');
    assert.equal(await readFile(join(ecu.activeRoot, 'boot/ota-status/status'), 'utf8'), 'FAILURE');
    await using slots = await ecu.open();
    assert.equal((await slots.judge()).kind, 'fell_back');
    assert.equal((await slots.standby()).version, '2');
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
  });

  it('is formatted, and judged all the same, when it holds no file system', async (t) => {
    const [ecu, site] = await blockWorld(t, { status: 'in_slot' });
    execFileSync('wipefs', ['-q', '-a', ecu.disk.partition(2)]);
    await site.publish(smallRelease);
    {
      await using slots = await ecu.open();
      assert.equal((await slots.judge()).kind, 'ordinary');
      await assert.rejects(slots.rollbackTarget(), {
        code: 'rollback_refused',
        message: /cannot be mounted/,
      });
    }
    assert.deepEqual(await updateBlockEcu(ecu, site), []);
  });

  it("gets the ECU's own configuration over the image's", async (t) => {
    const [ecu, site] = await blockWorld(t, { options: { carry: ['/etc/ota', '/srv/absent'] } });
    await mkdir(join(ecu.activeRoot, 'etc/ota/keys'), { recursive: true });
    await writeFile(join(ecu.activeRoot, 'etc/ota/keys/own'), 'mine', { mode: 0o640 });
    execFileSync('chown', ['12:34', join(ecu.activeRoot, 'etc/ota/keys/own')]);
    await site.publish({ ...smallRelease, 'etc/ota/keys/own': "the image's", 'etc/ota/more': 'kept' });
    const differences = await updateBlockEcu(ecu, site);
    assert.deepEqual(
      differences.filter((line) => !line.startsWith('/etc/ota/keys')),
      [],
    );
    await ecu.disk.inside(2, async (root) => {
      assert.equal(await readFile(join(root, 'etc/ota/keys/own'), 'utf8'), 'mine');
      const stat = execFileSync('stat', ['-c', '%u:%g %a', join(root, 'etc/ota/keys/own')], {
        encoding: 'utf8',
      });
      assert.equal(stat.trim(), '12:34 640');
    });
  });

  it('is freed from mounts that a crashed run or a person left', async (t) => {
    const [ecu, site] = await blockWorld(t);
    ecu.disk.mount(2);
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const { image, tree } = await site.update({ slots });
    await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
    assert.equal(await ecu.choice, 'once slot_b');
    assert.deepEqual(mountsWith(ecu.disk.partition(2)), []);
  });

  it('is unmounted after an update that failed', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    site.intercept = (path, _request, response) => {
      if (!path.startsWith('/rootfs')) return false;
      response.writeHead(404).end();
      return true;
    };
    await using slots = await ecu.open();
    await assert.rejects(site.update({ slots }), { code: 'image_invalid' });
    await slots.record('FAILURE', { type: 'RECOVERABLE', reason: 'r', traceback: '' });
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
    site.intercept = () => false;
    const { image, tree } = await site.update({ slots });
    await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
    assert.deepEqual(ecu.calls, ['install slot_b', 'once slot_b']);
  });

  it('is unmounted, and not booted, when it cannot be written back', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const { image, tree } = await site.update({ slots });
    await programsOnPath(t, { sync: 'echo "sync: error syncing: Input/output error" >&2; exit 1' });
    const release = { version: '2', detail: undefined, imageDigest: image.digest };
    await assert.rejects(slots.activate(tree, release), /Input\/output error/);
    await slots.record('FAILURE', { type: 'UNRECOVERABLE', reason: 'r', traceback: '' });
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
    assert.deepEqual(ecu.calls, ['install slot_b']);
  });

  it('is freed from a daemon that was killed, and used on as that one left it', async (t) => {
    const [ecu, site] = await blockWorld(t);
    const script = new URL('../support/hold-standby.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, ecu.disk.directory, ecu.disk.node], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const held = await slots.prepare(never);
    assert.equal(await readFile(join(held.work, 'part'), 'utf8'), 'arrived');
    const { image, tree } = await site.update({ slots });
    await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
    assert.doesNotMatch(ecu.log.lines.join('\n'), /formatted/);
    await ecu.disk.inside(2, async (root) =>
      assert.deepEqual(await site.differences(image, ['/lost+found'], root), []),
    );
  });

  it('keeps what was downloaded when an update is aborted', async (t) => {
    const [ecu, site] = await blockWorld(t);
    const total = 60 * 150_000;
    await site.publish(
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, randomBytes(150_000)])),
    );
    await using slots = await ecu.open();
    const abort = new AbortController();
    let asked = 0;
    site.intercept = (path) => {
      if (path.startsWith('/rootfs') && ++asked === 40) abort.abort();
      return false;
    };
    await assert.rejects(site.update({ slots, signal: abort.signal }), { name: 'AbortError' });
    await slots.record('ABORTED', undefined);
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
    await site.update({ slots });
    assert.ok(site.sent < total + 25 * 150_000, `${site.sent} bytes were sent for ${total}`);
  });

  it('is not booted when the process that held its mounts was killed', async (t) => {
    const [ecu, site] = await blockWorld(t);
    await site.publish(smallRelease);
    await using slots = await ecu.open();
    const { tree } = await site.update({ slots });
    const staged = { version: '2', detail: undefined, imageDigest: 'x' };
    process.kill(Number(tree.root.split('/')[2]), 'SIGKILL');
    await assert.rejects(slots.activate(tree, staged), {
      code: 'switch_failed',
      message: /mounts has gone|start the update again/,
    });
    assert.equal(await ecu.choice, 'slot_a');
    const again = await site.update({ slots });
    await slots.activate(again.tree, staged);
    assert.equal(await ecu.choice, 'once slot_b');
  });

  it('fails as full, and is unmounted, when others fill it meanwhile', async (t) => {
    const [ecu, site] = await blockWorld(t, { standbyKib: 16_384 });
    await site.publish({ one: randomBytes(3_000_000), two: randomBytes(3_000_000) });
    await using slots = await ecu.open();
    const { root } = await slots.look(never);
    site.intercept = (path) => {
      if (path.startsWith('/rootfs'))
        spawnSync('dd', ['if=/dev/zero', `of=${root}/filler`, 'bs=1M', 'status=none']);
      return false;
    };
    await assert.rejects(site.update({ slots }), { code: 'standby_slot_full' });
    await slots.record('FAILURE', undefined);
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
    site.intercept = () => false;
    const { image, tree } = await site.update({ slots });
    await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
    assert.equal(await ecu.choice, 'once slot_b');
  });

  it('is never the partition that the release runs on', async (t) => {
    const ecu = await BlockEcu.create(t);
    await assert.rejects(ecu.open('daemon', 'slot_b'), { code: 'startup_failed', message: /boot\.slot_a/ });
  });

  it('cannot be made from both slots being one', async (t) => {
    const ecu = await BlockEcu.create(t);
    const loader = await ecu.loader();
    const devices = { slot_a: loader.devices.slot_b, slot_b: loader.devices.slot_b };
    await assert.rejects(openBlockSlots({ ...loader, devices }, ecu.setting(), 'daemon'), {
      code: 'startup_failed',
      message: /same partition/,
    });
    assert.deepEqual(await readdir(ecu.activeRoot), ['lost+found']);
  });
});
