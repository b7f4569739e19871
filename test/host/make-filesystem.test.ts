import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeDevice } from '#host/block-device.ts';
import { readExt4Shape } from '#host/ext4-shape.ts';
import { checkFilesystem, makeFilesystem } from '#host/make-filesystem.ts';
import { LoopDisk, whyNoLoopDisks } from '../support/loop-disk.ts';

const never = new AbortController().signal;
const uuid = '0d5f1c2e-6f0b-4f7e-9d62-3a1b5c7d9e01';

for (const [type, kib] of [
  ['ext4', 16_384],
  ['xfs', 307_200],
  ['btrfs', 131_072],
] as const) {
  describe(type, { skip: whyNoLoopDisks(`mkfs.${type}`) }, () => {
    it('is made with the UUID and label that are to be kept, over what was there, and checks clean', async (t) => {
      const disk = LoopDisk.create(t, [{ name: 'one', kib }]);
      for (const label of ['slot_b', 'slot_b', '']) {
        await makeFilesystem(disk.partition(1), { type, uuid, label }, never);
        const device = await describeDevice(disk.partition(1), never);
        assert.deepEqual(device.filesystem, { type, uuid, label });
        assert.deepEqual(await checkFilesystem(device, never), { clean: true });
      }
    });
  });
}

describe('file systems', { skip: whyNoLoopDisks('dumpe2fs', 'debugfs') }, () => {
  it('with errors are found without being written to', async (t) => {
    const disk = LoopDisk.create(t, [{ name: 'one', kib: 16_384 }]);
    disk.format(1, 'ext4');
    execFileSync('debugfs', ['-w', '-R', 'clri <2>', disk.partition(1)], { stdio: 'ignore' });
    const before = disk.digest(1);
    const check = await checkFilesystem(await describeDevice(disk.partition(1), never), never);
    assert.equal(check.clean, false);
    assert.match(check.problem, /e2fsck ended with \d/);
    assert.equal(disk.digest(1), before);
  });

  it('are made like the one before, so that the boot loader can read them', async (t) => {
    const disk = LoopDisk.create(t, [{ name: 'one', kib: 16_384 }]);
    disk.format(1, 'ext4', '-O', '^metadata_csum,^64bit', '-b', '4096', '-I', '512', '-i', '8192', '-m', '2');
    await disk.inside(1, (root) => writeFile(join(root, 'file'), ''));
    const shape = await readExt4Shape(await describeDevice(disk.partition(1), never), never);
    assert.ok(shape);
    assert.equal(shape.features.includes('metadata_csum'), false);
    await makeFilesystem(disk.partition(1), { type: 'ext4', uuid, label: 'slot_b', shape }, never);
    assert.deepEqual(await readExt4Shape(await describeDevice(disk.partition(1), never), never), shape);
  });

  it('that cannot be made say why', async (t) => {
    const disk = LoopDisk.create(t, [{ name: 'one', kib: 1024 }]);
    await assert.rejects(
      makeFilesystem(disk.partition(1), { type: 'xfs', uuid, label: 'thirteen-char' }, never),
      { code: 'failed', message: /too long for xfs/ },
    );
    const path = process.env['PATH'];
    t.after(() => {
      process.env['PATH'] = path;
    });
    process.env['PATH'] = '/nowhere';
    await assert.rejects(makeFilesystem(disk.partition(1), { type: 'xfs', uuid, label: '' }, never), {
      code: 'not_started',
      message: /xfsprogs/,
    });
    process.env['PATH'] = path;
  });
});
