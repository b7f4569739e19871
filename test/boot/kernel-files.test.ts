import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { compareVersions, newestKernel } from '#boot/kernel-files.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

test('versions of kernels are ordered by their numbers, candidates before releases', () => {
  const ordered = [
    '4.9.337-tegra',
    '5.15.0-rc1',
    '5.15.0-rc10',
    '5.15.0',
    '5.15.0-91-generic',
    '5.15.0-1045-raspi',
    '6.1.0-9-amd64',
    '6.1.0-10-amd64',
  ];
  assert.deepEqual([...ordered].reverse().sort(compareVersions), ordered);
});

test('the newest kernel that has an initrd is the one to boot', async (t) => {
  const root = await scratchDirectory(t);
  await mkdir(join(root, 'boot'));
  for (const name of ['vmlinuz-6.1.0-9', 'initrd.img-6.1.0-9', 'vmlinuz-6.1.0-10', 'initrd.img-6.1.0-10']) {
    await writeFile(join(root, 'boot', name), name);
  }
  await writeFile(join(root, 'boot', 'vmlinuz-6.1.0-11'), 'has no initrd');
  await symlink('vmlinuz-6.1.0-9', join(root, 'boot', 'vmlinuz'));
  assert.deepEqual(await newestKernel(root), {
    version: '6.1.0-10',
    kernel: join(root, 'boot', 'vmlinuz-6.1.0-10'),
    initrd: join(root, 'boot', 'initrd.img-6.1.0-10'),
  });
});

test('a release without a kernel is refused by name', async (t) => {
  const root = await scratchDirectory(t);
  await assert.rejects(newestKernel(root), (error) => {
    assert.ok(error instanceof BootError);
    assert.match(error.message, /has no vmlinuz-VERSION with an initrd\.img-VERSION/);
    return true;
  });
});
