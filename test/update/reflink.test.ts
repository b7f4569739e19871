import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

/** What is missing to try it out; false when nothing is. */
function lacking(): string | false {
  if (process.geteuid?.() !== 0) return 'only root can mount a file system';
  const programs = ['mkfs.btrfs', 'filefrag', 'losetup'];
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  return (
    missing.length > 0 && `${missing.join(', ')} (Debian packages btrfs-progs, e2fsprogs, mount) are not here`
  );
}

describe('on a file system that can share blocks', () => {
  it('copies from the active slot without writing the bytes again, and hashes them all the same', {
    skip: lacking(),
  }, async (t) => {
    const world = await UpdateWorld.create(t);
    const slots = join(world.directory, 'slots');
    const disk = join(world.directory, 'disk.img');
    writeFileSync(disk, '');
    execFileSync('truncate', ['-s', '256M', disk]);
    execFileSync('mkfs.btrfs', ['-q', disk]);
    execFileSync('mount', ['-o', 'loop', disk, slots]);
    try {
      await mkdir(world.tree.activeRoot);
      const large = randomBytes(3_000_000);
      const medium = randomBytes(100_000);
      const damaged = randomBytes(200_000);
      await makeTree(world.tree.activeRoot, {
        'usr/large': { content: large, mode: 0o755 },
        'elsewhere/medium': medium,
        // At its place, of the right size, but not the right content.
        damaged: randomBytes(200_000),
      });
      await world.publish({ 'usr/large': { content: large, mode: 0o4711 }, twin: large, medium, damaged });
      const { image, meter } = await world.update();
      assert.deepEqual(await world.differences(image), []);
      assert.deepEqual(
        { copy: meter.snapshot().copy.files, download: meter.snapshot().download.files },
        { copy: 3, download: 1 },
      );
      execFileSync('sync', ['-f', slots]);
      for (const path of ['usr/large', 'twin', 'medium']) {
        const extents = execFileSync('filefrag', ['-v', join(world.tree.root, path)], { encoding: 'utf8' });
        assert.match(extents, /shared/, path);
      }
    } finally {
      execFileSync('umount', [slots]);
    }
  });
});
