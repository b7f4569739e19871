import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { compareKernelVersions, kernelsIn, newestKernel } from '#boot/kernels.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

async function bootWith(t: TestContext, names: readonly string[]): Promise<string> {
  const directory = await scratchDirectory(t);
  for (const name of names) await writeFile(join(directory, name), name);
  return directory;
}

describe('kernel versions', () => {
  it('compares numbers by value and candidates before their release', () => {
    const sorted = [
      '5.15.0-91-generic',
      '6.1.0-9-amd64',
      '6.1.0-10-amd64',
      '6.8.0-rc2',
      '6.8.0-rc10',
      '6.8.0',
      '6.8.0-1',
    ];
    assert.deepEqual(sorted.toReversed().toSorted(compareKernelVersions), sorted);
  });
});

describe('kernels of a release', () => {
  it('takes the newest kernel that has an initrd', async (t) => {
    const boot = await bootWith(t, [
      'vmlinuz-5.15.0-9-generic',
      'initrd.img-5.15.0-9-generic',
      'vmlinuz-5.15.0-10-generic',
      'initrd.img-5.15.0-10-generic',
      'vmlinuz-5.15.0-11-generic',
    ]);
    const { version, kernel, initrds } = await newestKernel(boot);
    assert.deepEqual(
      { version, kernel, initrds },
      {
        version: '5.15.0-10-generic',
        kernel: 'vmlinuz-5.15.0-10-generic',
        initrds: ['initrd.img-5.15.0-10-generic'],
      },
    );
  });

  it('loads early microcode before the initrd', async (t) => {
    const boot = await bootWith(t, ['vmlinuz-6.1.0', 'initrd.img-6.1.0', 'microcode.cpio', 'intel-uc.img']);
    assert.deepEqual((await newestKernel(boot)).initrds, [
      'intel-uc.img',
      'microcode.cpio',
      'initrd.img-6.1.0',
    ]);
  });

  it('knows the names that other distributions give an initrd', async (t) => {
    const boot = await bootWith(t, ['vmlinuz-6.2', 'initramfs-6.2.img', 'vmlinuz-6.1', 'initrd-6.1']);
    assert.deepEqual(
      (await kernelsIn(boot)).map(({ initrds }) => initrds[0]),
      ['initramfs-6.2.img', 'initrd-6.1'],
    );
  });

  it('takes no left-overs, empty files, links and directories for kernels', async (t) => {
    const boot = await bootWith(t, [
      'vmlinuz-6.1',
      'initrd.img-6.1',
      'vmlinuz-6.2.old',
      'initrd.img-6.2.old',
      'initrd.img-7.0',
      'initrd.img-7.1',
      'vmlinuz-7.2',
    ]);
    await writeFile(join(boot, 'vmlinuz-7.0'), '');
    await mkdir(join(boot, 'vmlinuz-7.1'));
    await symlink('initrd.img-6.1', join(boot, 'initrd.img-7.2'));
    assert.deepEqual(
      (await kernelsIn(boot)).map(({ version }) => version),
      ['6.1'],
    );
  });

  it('says what is missing when there is no kernel', async (t) => {
    const boot = await bootWith(t, ['vmlinuz-6.1', 'initrd.img-6.2']);
    for (const directory of [boot, join(boot, 'missing')]) {
      await assert.rejects(newestKernel(directory), (error) => {
        assert.ok(error instanceof BootError);
        assert.equal(error.code, 'prepare_failed');
        assert.match(error.message, /the release has no kernel: .*ota-test-/);
        return true;
      });
    }
  });
});
