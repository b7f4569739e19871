import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { BootError, type BootErrorCode } from '#boot/boot-error.ts';
import type { BootLoader, SlotTree } from '#boot/boot-loader.ts';
import { entriesOf } from '#boot/fstab.ts';
import { grub } from '#boot/grub/grub.ts';
import { parseGrubenv } from '#boot/grub/grubenv.ts';
import { parseMenu } from '#boot/grub/menu.ts';
import type { GrubDisk, GrubDiskOptions } from '../../support/grub-disk.ts';
import { grubDisk, noGrubDisk } from '../../support/grub-disk.ts';
import { distributionDisk, filesBelow, putKernelFiles } from '../../support/grub-layouts.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { programsOnPath } from '../../support/programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

interface Ready {
  readonly disk: GrubDisk;
  readonly loader: BootLoader;
  /** As an update leaves it: a Debian tree with a kernel. */
  readonly tree: SlotTree;
}

async function ready(t: TestContext, options: GrubDiskOptions = {}): Promise<Ready> {
  const disk = await grubDisk(t, options);
  await distributionDisk(disk);
  const setting = loaderSetting(disk.root);
  const loader = await grub.open(setting, 'daemon');
  // The standby tree is anywhere that it can be reached; its device is what counts.
  const root = await scratchDirectory(t);
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/fstab'), 'UUID=build / ext4 defaults 0 1\ntmpfs /tmp tmpfs defaults 0 0\n');
  await putKernelFiles(join(root, 'boot'), '6.2.0-1-amd64');
  return {
    disk,
    loader,
    tree: { slot: 'slot_b', root, activeRoot: disk.root, device: loader.devices.slot_b },
  };
}

async function variables(disk: GrubDisk): Promise<Readonly<Record<string, string>>> {
  const bytes = await readFile(join(disk.boot, 'grub/grubenv'));
  assert.equal(bytes.length, 1024);
  return Object.fromEntries(parseGrubenv(bytes) ?? [['damaged', 'yes']]);
}

async function words(disk: GrubDisk, slot: string): Promise<readonly string[]> {
  return parseMenu(await readFile(join(disk.boot, `grub/ota-${slot}.cfg`), 'utf8'))[0]?.arguments ?? [];
}

async function failsWith(work: Promise<unknown>, code: BootErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof BootError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

describe('making a slot bootable', { skip: noGrubDisk() }, () => {
  it('copies its kernel, writes its fstab and its entry, and touches nothing of the running slot', async (t) => {
    const { disk, loader, tree } = await ready(t);
    const before = await filesBelow(disk.boot);
    await loader.install(tree);
    const after = await filesBelow(disk.boot);
    const added = Object.keys(after).filter((name) => !(name in before));
    assert.deepEqual(added.toSorted(), [
      'grub/ota-slot_b.cfg',
      'ota-slot_b/initrd.img-6.2.0-1-amd64',
      'ota-slot_b/vmlinuz-6.2.0-1-amd64',
    ]);
    for (const [name, text] of Object.entries(before)) assert.equal(after[name], text, name);
    assert.deepEqual(await words(disk, 'slot_b'), [
      `root=UUID=${disk.uuid('slot_b')}`,
      'ro',
      'quiet',
      'panic=10',
    ]);
    const fstab = entriesOf(await readFile(join(tree.root, 'etc/fstab'), 'utf8'));
    assert.deepEqual(
      fstab.map(({ spec, mountPoint }) => `${spec} ${mountPoint}`),
      [`UUID=${disk.uuid('slot_b')} /`, `UUID=${disk.uuid('boot')} /boot`, 'tmpfs /tmp'],
    );
  });

  it('takes the command line of the image where it brings one, and removes the kernels that the slot had', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await loader.install(tree);
    await rm(join(tree.root, 'boot'), { recursive: true });
    await putKernelFiles(join(tree.root, 'boot'), '6.3.0-1-amd64');
    await mkdir(join(tree.root, 'etc/default'));
    await writeFile(join(tree.root, 'etc/default/grub'), 'GRUB_CMDLINE_LINUX="console=ttyS0 rw"\n');
    await loader.install(tree);
    assert.deepEqual((await readdir(join(disk.boot, 'ota-slot_b'))).toSorted(), [
      'initrd.img-6.3.0-1-amd64',
      'vmlinuz-6.3.0-1-amd64',
    ]);
    assert.deepEqual(await words(disk, 'slot_b'), [
      `root=UUID=${disk.uuid('slot_b')}`,
      'console=ttyS0',
      'rw',
      'panic=10',
    ]);
  });

  it('replaces a kernel of the same name and another content', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await loader.install(tree);
    await putKernelFiles(join(tree.root, 'boot'), '6.2.0-1-amd64', 'made anew');
    await loader.install(tree);
    assert.equal(
      await readFile(join(disk.boot, 'ota-slot_b/vmlinuz-6.2.0-1-amd64'), 'utf8'),
      'kernel made anew',
    );
  });

  it('refuses an image without a kernel', async (t) => {
    const { disk, loader, tree } = await ready(t);
    const before = await filesBelow(disk.boot);
    await rm(join(tree.root, 'boot'), { recursive: true });
    await failsWith(loader.install(tree), 'prepare_failed', /the release has no kernel/);
    assert.deepEqual(await filesBelow(disk.boot), before);
  });

  it('refuses a kernel that the boot partition has no room for, untouched; makes room by removing the one before', async (t) => {
    const { disk, loader, tree } = await ready(t);
    const kernel = join(tree.root, 'boot/vmlinuz-6.2.0-1-amd64');
    await writeFile(kernel, Buffer.alloc(20 << 20, 1));
    await loader.install(tree);
    // 48 MiB hold one of 20 and one of 25, but not without the metadata.
    const next = join(tree.root, 'boot/vmlinuz-6.2.0-2-amd64');
    await writeFile(join(tree.root, 'boot/initrd.img-6.2.0-2-amd64'), 'initrd');
    await writeFile(next, Buffer.alloc(25 << 20, 2));
    await loader.install(tree);
    assert.deepEqual((await readdir(join(disk.boot, 'ota-slot_b'))).toSorted(), [
      'initrd.img-6.2.0-2-amd64',
      'vmlinuz-6.2.0-2-amd64',
    ]);
    const before = await filesBelow(disk.boot);
    await writeFile(join(tree.root, 'boot/initrd.img-6.2.0-3-amd64'), 'initrd');
    await writeFile(join(tree.root, 'boot/vmlinuz-6.2.0-3-amd64'), Buffer.alloc(48 << 20, 3));
    await failsWith(
      loader.install(tree),
      'prepare_failed',
      /boot partition at .* is full: \d+ bytes are needed/,
    );
    assert.deepEqual(await filesBelow(disk.boot), before);
  });
});

describe('switching the boot', { skip: noGrubDisk() }, () => {
  it('is one-shot until the slot is made the default', async (t) => {
    const { disk, loader, tree } = await ready(t, { table: 'gpt' });
    await loader.install(tree);
    await loader.tryOnce('slot_b');
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a', next_entry: 'ota-slot_b' });
    await loader.cancelTry();
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a' });
    await loader.tryOnce('slot_b');
    await loader.makeDefault('slot_b');
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_b' });
    assert.equal(await readFile(join(disk.boot, 'grub/ota-default.cfg'), 'utf8'), 'set ota_default=slot_b\n');
    // A trial that is armed once more does not become the default by it.
    await loader.tryOnce('slot_a');
    await loader.tryOnce('slot_b');
    await loader.makeDefault('slot_a');
    await loader.tryOnce('slot_b');
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a', next_entry: 'ota-slot_b' });
  });

  it('goes to no slot that cannot be booted', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await failsWith(loader.tryOnce('slot_b'), 'switch_failed', /slot_b cannot be booted/);
    await loader.install(tree);
    await writeFile(join(disk.boot, 'ota-slot_b/initrd.img-6.2.0-1-amd64'), '');
    await failsWith(loader.tryOnce('slot_b'), 'switch_failed', /slot_b cannot be booted/);
    await failsWith(loader.makeDefault('slot_b'), 'switch_failed', /slot_b cannot be booted/);
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a' });
  });

  it('leaves a slot out that is about to be written to', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await loader.install(tree);
    await loader.withhold?.('slot_b');
    await assert.rejects(stat(join(disk.boot, 'grub/ota-slot_b.cfg')));
    await loader.withhold?.('slot_b');
    assert.ok((await stat(join(disk.boot, 'grub/ota-slot_a.cfg'))).isFile());
  });

  it('is seen without the journal as soon as it is done: nothing of it is left in there', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await loader.install(tree);
    await loader.tryOnce('slot_b');
    assert.match(disk.onDisk('/grub/grubenv'), /^saved_entry=ota-slot_a\nnext_entry=ota-slot_b$/m);
    assert.match(disk.onDisk('/grub/ota-slot_b.cfg'), /vmlinuz-6\.2\.0-1-amd64/);
  });

  it('says what to do when the boot partition fails, and leaves the choice as it was', async (t) => {
    const { disk, loader, tree } = await ready(t);
    await loader.install(tree);
    disk.run('mount', '-o', 'remount,ro', disk.boot);
    await failsWith(loader.tryOnce('slot_b'), 'switch_failed', /is read only: check its file system/);
    disk.run('mount', '-o', 'remount,rw', disk.boot);
    await programsOnPath(t, { fsfreeze: 'echo broken >&2; exit 1' });
    await failsWith(loader.tryOnce('slot_b'), 'switch_failed', /could not be settled by fsfreeze/);
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a' });
  });
});

describe('a disk that GRUB cannot boot slots from', { skip: noGrubDisk() }, () => {
  const open = (disk: GrubDisk): Promise<unknown> => grub.open(loaderSetting(disk.root), 'daemon');

  it('has a damaged environment block', async (t) => {
    const { disk } = await ready(t);
    const path = join(disk.boot, 'grub/grubenv');
    for (const broken of [Buffer.alloc(1024), (await readFile(path)).subarray(0, 1000)]) {
      await writeFile(path, broken);
      await failsWith(open(disk), 'startup_failed', /grubenv is damaged.*grub-editenv/);
      assert.deepEqual(await readFile(path), broken);
    }
    // As the message says.
    disk.run('grub-editenv', path, 'create');
    await open(disk);
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a' });
  });

  it('has its boot partition missing, read only, or in a slot', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    disk.run('mount', '-o', 'remount,ro', disk.boot);
    await failsWith(open(disk), 'startup_failed', /boot partition cannot be written to/);
    disk.run('mount', '-o', 'remount,rw', disk.boot);
    const elsewhere = { ...loaderSetting(disk.root), bootDirectory: join(disk.root, 'etc') };
    await failsWith(
      grub.open(elsewhere, 'daemon'),
      'startup_failed',
      /boot partition is not mounted at .*slot_a/,
    );
    const nowhere = { ...loaderSetting(disk.root), bootDirectory: join(disk.root, 'none') };
    await failsWith(grub.open(nowhere, 'reader'), 'startup_failed', /boot partition is not mounted at/);
  });

  it('has a partition too few', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    disk.run('partx', '--delete', '--nr', '3', disk.device);
    await failsWith(
      open(disk),
      'startup_failed',
      /has no partition 3 \(it has 1, 2\); boot control grub needs/,
    );
    disk.run('partx', '--add', '--nr', '3', disk.device);
  });

  it('has slots that cannot be told apart', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    disk.run('tune2fs', '-f', '-U', disk.uuid('slot_a'), disk.partition('slot_b'));
    await failsWith(open(disk), 'startup_failed', /have the same file system UUID .*tune2fs/);
  });

  it('has a running release that lies in no slot', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const setting = { ...loaderSetting(disk.boot), bootDirectory: disk.boot };
    await failsWith(grub.open(setting, 'daemon'), 'startup_failed', /which is neither slot_a .* nor slot_b/);
  });

  it('has no kernel to come back to', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    disk.run('sh', '-c', `rm ${disk.boot}/vmlinuz-* ${disk.boot}/initrd*`);
    await failsWith(open(disk), 'startup_failed', /kernel of the running release \(slot_a\) was not found/);
  });

  it('has a boot partition that GRUB cannot take a choice out of', {
    skip: missingPrograms('mkfs.btrfs'),
  }, async (t) => {
    const disk = await grubDisk(t, { bootFilesystem: 'btrfs', bootMib: 120 });
    await distributionDisk(disk);
    await failsWith(
      open(disk),
      'startup_failed',
      /a file system that GRUB cannot write to: btrfs; make it ext4/,
    );
  });
});
