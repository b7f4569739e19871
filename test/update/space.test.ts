import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { emptySha256 } from '#domain/digest.ts';
import type { OtaFailure } from '#domain/failure.ts';
import { FileTableBuilder } from '#image/file-table-builder.ts';
import { spaceNeed } from '#update/layout.ts';
import { UpdateWorld } from '../support/update-world.ts';

const root = { skip: process.geteuid?.() === 0 ? false : 'only root can mount a small file system' };

/** Puts the slots on a file system of their own. */
async function smallDisk(world: UpdateWorld, options: string): Promise<Disposable & { slots: string }> {
  const slots = join(world.directory, 'slots');
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', slots]);
  await mkdir(world.tree.activeRoot);
  return { slots, [Symbol.dispose]: () => void execFileSync('umount', [slots]) };
}

describe('spaceNeed', () => {
  it('counts whole blocks, directories, long symlinks, and a hard-link group once', () => {
    const builder = new FileTableBuilder();
    const owner = { uid: 0, gid: 0, mode: 0o644, compressed: false };
    builder.addDirectory('/d', 0o755, 0, 0);
    builder.addSymlink('/short', 'target', 0, 0);
    builder.addSymlink('/long', 'x'.repeat(60), 0, 0);
    const sha256 = 'a'.repeat(64) as typeof emptySha256;
    for (const path of ['/one', '/two']) {
      builder.addRegular({ ...owner, path, sha256, size: 4097, inode: '7' });
    }
    builder.addRegular({ ...owner, path: '/other', sha256, size: 4097, inode: undefined });
    builder.addRegular({ ...owner, path: '/empty', sha256: emptySha256, size: 0, inode: undefined });
    assert.deepEqual(spaceNeed(builder.finish(), { type: 0, blockBytes: 4096 }), {
      bytes: 4096 * (1 + 1 + 2 + 2),
      inodes: 6,
    });
  });
});

describe('an image that does not fit', () => {
  it('is refused for its bytes before anything is written', root, async (t) => {
    const world = await UpdateWorld.create(t);
    using disk = await smallDisk(world, 'size=4m');
    await world.publish({ big: randomBytes(5_000_000) });
    await assert.rejects(world.update(), (error: OtaFailure) => {
      assert.equal(error.code, 'standby_slot_full');
      assert.match(error.reason, /^E307: .* needs \d+ bytes .* room for \d+/);
      return true;
    });
    assert.deepEqual(await readdir(disk.slots), ['slot_a']);
  });

  it('is refused for its inodes before anything is written', root, async (t) => {
    const world = await UpdateWorld.create(t);
    using disk = await smallDisk(world, 'size=64m,nr_inodes=50');
    await world.publish(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, `${i}`])));
    await assert.rejects(world.update(), (error: OtaFailure) => {
      assert.equal(error.code, 'standby_slot_full');
      assert.match(error.reason, /inodes/);
      return true;
    });
    assert.deepEqual(await readdir(disk.slots), ['slot_a']);
  });

  it('is installed when what the standby slot holds makes the room', root, async (t) => {
    const world = await UpdateWorld.create(t);
    using _disk = await smallDisk(world, 'size=16m');
    await world.publish({ first: randomBytes(8_000_000) });
    await world.update();
    await world.publish({ second: randomBytes(9_000_000) });
    const { image } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    const { bavail, bsize } = await statfs(world.tree.root);
    assert.ok(bavail * bsize > 6_000_000);
  });

  it(
    'fails as a full slot when the disk fills up on the way, and leaves the engine usable',
    root,
    async (t) => {
      const world = await UpdateWorld.create(t);
      using disk = await smallDisk(world, 'size=16m');
      await world.publish({ one: randomBytes(6_000_000), two: randomBytes(6_000_000) });
      let filled = false;
      world.intercept = (path) => {
        if (path.startsWith('/rootfs') && !filled) {
          filled = true;
          execFileSync('dd', ['if=/dev/zero', `of=${disk.slots}/filler`, 'bs=1M', 'count=9', 'status=none']);
        }
        return false;
      };
      await assert.rejects(world.update(), { code: 'standby_slot_full' });
      execFileSync('rm', [`${disk.slots}/filler`]);
      const { image } = await world.update();
      assert.deepEqual(await world.differences(image), []);
    },
  );
});
