import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { findSlotDevices } from '#boot/slot-devices.ts';
import type { BlockEcuOptions } from '../support/block-ecu.ts';
import { BlockEcu } from '../support/block-ecu.ts';
import { loaderSetting } from '../support/loader-setting.ts';
import { whyNoLoopDisks } from '../support/loop-disk.ts';
import { programsOnPath } from '../support/programs.ts';
import { UpdateWorld } from '../support/update-world.ts';

const never = new AbortController().signal;
const skip = whyNoLoopDisks('dumpe2fs', 'e2fsck');

async function world(t: TestContext, options: BlockEcuOptions = {}): Promise<[BlockEcu, UpdateWorld]> {
  const ecu = await BlockEcu.create(t, options);
  return [ecu, await UpdateWorld.create(t)];
}

/** Updates the ECU to what is published; returns the differences between slot_b and the image afterwards. */
async function update(ecu: BlockEcu, site: UpdateWorld): Promise<string[]> {
  await using slots = await ecu.open();
  const { image, tree } = await site.update({ slots });
  await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
  const inSlot = ['/boot', '/lost+found'];
  return ecu.disk.inside(2, (root) => site.differences(image, inSlot, root));
}

/** That files have blocks in common. */
async function assertShared(ecu: BlockEcu, paths: readonly string[]): Promise<void> {
  await ecu.disk.inside(2, (root) => {
    for (const path of paths) {
      const extents = execFileSync('filefrag', ['-v', join(root, path)], { encoding: 'utf8' });
      assert.match(extents, /shared/, path);
    }
  });
}

function mountsWith(path: string): string[] {
  return execFileSync('sh', ['-c', `cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F ${path} || true`], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter((line) => line !== '');
}

const twin = randomBytes(64_000);
const release = {
  'usr/bin/tool': { content: randomBytes(300_000), mode: 0o4755 },
  'usr/lib/other': randomBytes(40_000),
  'usr/lib/twin': twin,
  'usr/lib/twin-too': twin,
  'etc/name': 'two',
  'etc/link': { symlink: 'name' },
  'var/empty': { directory: 0o1777 },
} as const;

for (const type of ['ext4', 'xfs', 'btrfs'] as const) {
  const standbyKib = { ext4: 65_536, xfs: 350_000, btrfs: 131_072 }[type];
  describe(`a standby slot with ${type}`, { skip: skip || whyNoLoopDisks(`mkfs.${type}`) }, () => {
    it('gets the release, is unmounted, and only then booted; in place the second time', async (t) => {
      const [ecu, site] = await world(t, { type, standbyKib });
      await site.publish(release);
      assert.deepEqual(await update(ecu, site), []);
      assert.deepEqual(ecu.calls, ['install slot_b', 'once slot_b']);
      assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
      await site.publish({ ...release, 'etc/name': 'three', 'usr/lib/new': randomBytes(50_000) });
      site.sent = 0;
      assert.deepEqual(await update(ecu, site), []);
      if (type !== 'ext4') await assertShared(ecu, ['usr/lib/twin', 'usr/lib/twin-too']);
      assert.ok(site.sent < 120_000, 'what the slot held was not downloaded again');
      assert.doesNotMatch(ecu.log.lines.join('\n'), /formatted/);
    });

    it('is formatted when it has errors, and keeps UUID and label', async (t) => {
      const [ecu, site] = await world(t, { type, standbyKib });
      const before = ecu.loader().then(({ devices }) => devices.slot_b.filesystem);
      await before;
      await ecu.disk.inside(2, (root) => writeFile(join(root, 'old'), 'old'));
      damage(ecu.disk.partition(2), type);
      await site.publish(release);
      assert.deepEqual(await update(ecu, site), []);
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
    const [ecu, site] = await world(t, { status: 'in_slot' });
    await site.publish(release);
    assert.deepEqual(await update(ecu, site), []);
    const word = await ecu.disk.inside(2, (root) => readFile(join(root, 'boot/ota-status/status'), 'utf8'));
    assert.equal(word, 'UPDATING');
    assert.equal(await readFile(join(ecu.activeRoot, 'boot/ota-status/status'), 'utf8'), 'FAILURE');
    await using slots = await ecu.open();
    assert.equal((await slots.judge()).kind, 'fell_back');
    assert.equal((await slots.standby()).version, '2');
    assert.deepEqual(mountsWith(`${ecu.disk.directory}/mounts`), []);
  });

  it('is formatted, and judged all the same, when it holds no file system', async (t) => {
    const [ecu, site] = await world(t, { status: 'in_slot' });
    execFileSync('wipefs', ['-q', '-a', ecu.disk.partition(2)]);
    await site.publish(release);
    {
      await using slots = await ecu.open();
      assert.equal((await slots.judge()).kind, 'ordinary');
      await assert.rejects(slots.rollbackTarget(), {
        code: 'rollback_refused',
        message: /cannot be mounted/,
      });
    }
    assert.deepEqual(await update(ecu, site), []);
  });

  it("gets the ECU's own configuration over the image's", async (t) => {
    const [ecu, site] = await world(t, { options: { carry: ['/etc/ota', '/srv/absent'] } });
    await mkdir(join(ecu.activeRoot, 'etc/ota/keys'), { recursive: true });
    await writeFile(join(ecu.activeRoot, 'etc/ota/keys/own'), 'mine', { mode: 0o640 });
    execFileSync('chown', ['12:34', join(ecu.activeRoot, 'etc/ota/keys/own')]);
    await site.publish({ ...release, 'etc/ota/keys/own': "the image's", 'etc/ota/more': 'kept' });
    const differences = await update(ecu, site);
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
    const [ecu, site] = await world(t);
    ecu.disk.mount(2);
    await site.publish(release);
    await using slots = await ecu.open();
    const { image, tree } = await site.update({ slots });
    await slots.activate(tree, { version: '2', detail: undefined, imageDigest: image.digest });
    assert.equal(await ecu.choice, 'once slot_b');
    assert.deepEqual(mountsWith(ecu.disk.partition(2)), []);
  });

  it('is unmounted after an update that failed', async (t) => {
    const [ecu, site] = await world(t);
    await site.publish(release);
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

  it('is freed from a daemon that was killed, and used on as that one left it', async (t) => {
    const [ecu, site] = await world(t);
    const script = new URL('../support/hold-standby.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, ecu.disk.directory, ecu.disk.node], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await site.publish(release);
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
    const [ecu, site] = await world(t);
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
    const [ecu, site] = await world(t);
    await site.publish(release);
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

  it('takes a release that just fits, and refuses one block more untouched', async (t) => {
    const [ecu, site] = await world(t, { standbyKib: 12_288 });
    await site.publish({ ...release, pad: randomBytes(20_480_000) });
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
    await site.publish({ ...release, pad: randomBytes(fits + 1) });
    const before = ecu.disk.digest(2);
    assert.ok((await refusal()).needed - room <= bsize);
    assert.equal(ecu.disk.digest(2), before);
    await site.publish({ ...release, pad: randomBytes(fits) });
    assert.deepEqual(await update(ecu, site), []);
    const { bavail } = await ecu.disk.inside(2, (root) => statfs(root));
    assert.ok(bavail * bsize < 1024 * 1024, 'no more than 1 MiB was asked for too much');
  });

  it('fails as full, and is unmounted, when others fill it meanwhile', async (t) => {
    const [ecu, site] = await world(t, { standbyKib: 16_384 });
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

  it('is refused untouched when the release does not fit', async (t) => {
    const [ecu, site] = await world(t, { standbyKib: 8192 });
    await ecu.disk.inside(2, (root) => writeFile(join(root, 'old'), 'old'));
    const before = ecu.disk.digest(2);
    await site.publish({ big: randomBytes(9_000_000) });
    await using slots = await ecu.open();
    await assert.rejects(site.update({ slots }), { code: 'standby_slot_full' });
    await slots.record('FAILURE', { type: 'RECOVERABLE', reason: 'r', traceback: '' });
    assert.equal(ecu.disk.digest(2), before);
  });

  it('keeps its names over a power cut while it is formatted', async (t) => {
    const [ecu, site] = await world(t, { options: { reuse: false } });
    const before = (await ecu.loader()).devices.slot_b;
    const fake = await programsOnPath(t, {
      'mkfs.ext4': `for last; do :; done
        case $last in
          /dev/loop*) wipefs -q -a "$last"; exit 1;;
          *) PATH=\${PATH#*:}; exec mkfs.ext4 "$@";;
        esac`,
    });
    await site.publish(release);
    await assert.rejects(update(ecu, site), { code: 'boot_control_prepare' });
    await rm(join(fake, 'mkfs.ext4'));
    assert.equal((await ecu.loader()).devices.slot_b.filesystem, undefined);
    const setting = loaderSetting(ecu.activeRoot);
    assert.equal((await findSlotDevices(setting, never)).devices.slot_b.path, before.path);
    assert.deepEqual(await update(ecu, site), []);
    assert.deepEqual((await ecu.loader()).devices.slot_b.filesystem, before.filesystem);
  });

  it('is never the partition that the release runs on', async (t) => {
    const ecu = await BlockEcu.create(t);
    await assert.rejects(ecu.open('daemon', 'slot_b'), { code: 'startup_failed', message: /boot\.slot_a/ });
  });

  it('is named when it is write-protected', async (t) => {
    const [ecu, site] = await world(t);
    await site.publish(release);
    await using slots = await ecu.open();
    execFileSync('blockdev', ['--setro', ecu.disk.partition(2)]);
    await assert.rejects(slots.prepare(never), { code: 'prepare_failed', message: /read only/ });
    execFileSync('blockdev', ['--setrw', ecu.disk.partition(2)]);
  });

  it('cannot be made from both slots being one', async (t) => {
    const ecu = await BlockEcu.create(t);
    const { openBlockSlots } = await import('#boot/block-control.ts');
    const loader = await ecu.loader();
    const devices = { slot_a: loader.devices.slot_b, slot_b: loader.devices.slot_b };
    await assert.rejects(openBlockSlots({ ...loader, devices }, ecu.setting(), 'daemon'), {
      code: 'startup_failed',
      message: /same partition/,
    });
    assert.deepEqual(await readdir(ecu.activeRoot), ['lost+found']);
  });
});
