import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import type { SlotTree } from '#boot/boot-loader.ts';
import { BootPartition } from '#boot/rpi/boot-partition.ts';
import { RpiLoader, rpi } from '#boot/rpi/rpi.ts';
import type { SlotId } from '#boot/slots.ts';
import type { TestSetting } from '../../support/loader-setting.ts';
import { loaderSetting, slotDevices } from '../../support/loader-setting.ts';
import { RpiFirmware } from '../../support/rpi-firmware.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

interface Pi {
  readonly firmware: RpiFirmware;
  /** The boot partition. */
  readonly directory: string;
  readonly setting: TestSetting;
  readonly start: (booted?: SlotId) => Promise<RpiLoader>;
}

async function pi(t: TestContext, place = 'boot/firmware'): Promise<Pi> {
  const root = await scratchDirectory(t);
  const directory = join(root, place);
  const firmware = await RpiFirmware.laidOut(directory);
  const setting = loaderSetting(root);
  return {
    firmware,
    directory,
    setting,
    start: async (booted = 'slot_a') => {
      const partition = await BootPartition.find(setting.bootDirectory);
      assert.ok(partition);
      await partition.check();
      return new RpiLoader(partition, { booted, devices: slotDevices('/dev/sda') }, setting);
    },
  };
}

/** A release in slot_b, as an image of Ubuntu has it. */
async function release(t: TestContext, { setting }: Pi): Promise<SlotTree> {
  const root = await scratchDirectory(t);
  for (const name of ['boot', 'etc']) await mkdir(join(root, name));
  await writeFile(join(root, 'boot/vmlinuz-5.15.0-1045-raspi'), 'new kernel');
  await writeFile(join(root, 'boot/initrd.img-5.15.0-1045-raspi'), 'new initrd');
  await writeFile(join(root, 'etc/fstab'), 'LABEL=writable / ext4 defaults 0 1\n');
  return { slot: 'slot_b', root, activeRoot: setting.activeRoot, device: slotDevices('/dev/sda').slot_b };
}

function bootError(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof BootError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

const old = { kernel: 'kernel of the release in slot_a', root: 'LABEL=slot_a' };
const fresh = { kernel: 'new kernel', root: 'LABEL=slot_b' };

for (const place of ['boot/firmware', 'boot']) {
  test(`a release is tried once and then is the default, with the boot partition at /${place}`, async (t) => {
    const ecu = await pi(t, place);
    const { firmware, setting, directory, start } = ecu;
    const tree = await release(t, ecu);
    const loader = await start();
    await loader.install(tree);
    assert.deepEqual(await firmware.boot(), old, 'installing switches nothing');
    await loader.tryOnce('slot_b');
    await loader.reboot();
    assert.deepEqual(setting.reboots, [['0 tryboot']]);
    assert.deepEqual(await firmware.boot(setting.reboots[0]), fresh);
    assert.deepEqual(await firmware.boot(), old, 'a power cycle takes the old release');
    const inNew = await start('slot_b');
    await inNew.makeDefault('slot_b');
    assert.deepEqual(await firmware.boot(), fresh);
    await inNew.reboot();
    assert.deepEqual(setting.reboots[1], []);
    const mounts = await readFile(join(tree.root, 'etc/fstab'), 'utf8');
    assert.equal(mounts, `LABEL=slot_b / ext4 defaults 0 1\nLABEL=system-boot /${place} vfat defaults 0 1\n`);
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('.')),
      [],
    );
  });
}

test('a release that was given up is not tried again by a reboot', async (t) => {
  const { start, setting, firmware } = await pi(t);
  const loader = await start();
  await loader.tryOnce('slot_b');
  await loader.cancelTry();
  await loader.reboot();
  assert.deepEqual(setting.reboots, [[]]);
  await loader.tryOnce('slot_b');
  await loader.makeDefault('slot_a');
  await loader.reboot();
  assert.deepEqual(setting.reboots[1], []);
  assert.deepEqual(await firmware.boot(['0 tryboot']), old, 'even with the flag there is nothing to try');
});

test('a release on trial that reboots is not tried again, even when it could not be given up', async (t) => {
  const { start, setting, firmware } = await pi(t);
  await (await start()).tryOnce('slot_b');
  const onTrial = await start('slot_b');
  await assert.rejects(
    onTrial.tryOnce('slot_b'),
    bootError('switch_failed', /keeps no boot choice over a power cycle/),
  );
  await onTrial.reboot();
  assert.deepEqual(setting.reboots, [[]]);
  assert.deepEqual(await firmware.boot(setting.reboots[0]), old);
});

test('the command line gets the label of its slot and keeps the rest, byte for byte of other lines too', async (t) => {
  const ecu = await pi(t);
  const path = join(ecu.directory, 'cmdline.txt_slot_b');
  await writeFile(path, 'console=tty1 root=/dev/mmcblk0p3 root=LABEL=slot_a rootwait quiet');
  const before = await readFile(join(ecu.directory, 'cmdline.txt_slot_a'));
  await (await ecu.start()).install(await release(t, ecu));
  assert.equal(await readFile(path, 'utf8'), 'console=tty1 rootwait quiet root=LABEL=slot_b\n');
  assert.deepEqual(await readFile(join(ecu.directory, 'cmdline.txt_slot_a')), before);
});

test('a configuration in any encoding is chosen byte for byte', async (t) => {
  const { directory, start } = await pi(t);
  const path = join(directory, 'config.txt_slot_b');
  const bytes = Buffer.concat([await readFile(path), Buffer.from('# caf\xe9\n', 'latin1')]);
  await writeFile(path, bytes);
  await (await start()).tryOnce('slot_b');
  assert.deepEqual(await readFile(join(directory, 'tryboot.txt')), bytes);
});

test('a boot partition without the files of both slots is named, with what to do', async (t) => {
  const { directory, start, setting } = await pi(t);
  assert.match((await rpi.detect(setting))?.reason ?? '', /has a config.txt for each slot/);
  await writeFile(
    join(directory, 'config.txt_slot_b'),
    'cmdline=cmdline.txt_slot_b\nkernel=vmlinuz_slot_a\n',
  );
  await assert.rejects(
    rpi.open(setting, 'daemon'),
    bootError('startup_failed', /config.txt_slot_b boots the wrong slot by its line "kernel=vmlinuz_slot_a"/),
  );
  await writeFile(join(directory, 'config.txt_slot_b'), 'kernel=vmlinuz_slot_b\n');
  await assert.rejects(start(), bootError('startup_failed', /no line cmdline=cmdline.txt_slot_b/));
  await writeFile(join(directory, 'cmdline.txt_slot_b'), '\r\n');
  await assert.rejects(start(), bootError('startup_failed', /cmdline.txt_slot_b is missing or empty/));
  await rm(join(directory, 'cmdline.txt_slot_a'));
  await assert.rejects(
    start(),
    bootError('startup_failed', /cmdline.txt_slot_a is missing or empty.*copy that of slot_b/),
  );
  await rm(directory, { recursive: true });
  assert.equal(await rpi.detect(setting), undefined);
  await assert.rejects(
    rpi.open(setting, 'daemon'),
    bootError('startup_failed', /mount the boot partition there/),
  );
});

test('a kernel behind a link is that of the release, not that of the running one', async (t) => {
  const ecu = await pi(t);
  const tree = await release(t, ecu);
  const boot = join(ecu.setting.activeRoot, 'running-boot');
  await rename(join(tree.root, 'boot'), join(tree.root, 'kept-boot'));
  await mkdir(join(tree.root, boot, '..'), { recursive: true });
  await symlink('/kept-boot', join(tree.root, boot));
  await symlink(boot, join(tree.root, 'boot'));
  await mkdir(boot);
  for (const name of ['vmlinuz', 'initrd.img'])
    await writeFile(join(boot, `${name}-6.0.0`), 'of the running');
  const loader = await ecu.start();
  await loader.install(tree);
  await loader.tryOnce('slot_b');
  assert.deepEqual(await ecu.firmware.boot(['0 tryboot']), fresh);
});

test('a release without a kernel, and a boot partition that cannot be written, are named', async (t) => {
  const ecu = await pi(t);
  const tree = await release(t, ecu);
  const loader = await ecu.start();
  await rm(join(ecu.directory, 'vmlinuz_slot_b'));
  await mkdir(join(ecu.directory, 'vmlinuz_slot_b'));
  await assert.rejects(loader.install(tree), bootError('switch_failed', /could not be written .*make room/));
  await rm(join(tree.root, 'boot/initrd.img-5.15.0-1045-raspi'));
  await assert.rejects(loader.install(tree), bootError('prepare_failed', /has no kernel/));
  assert.deepEqual(await ecu.firmware.boot(), old);
});

test('a boot partition that is read only leaves the old release the default', async (t) => {
  if (process.geteuid?.() === 0) return t.skip('root writes to read-only directories');
  const { directory, start, firmware } = await pi(t);
  const loader = await start();
  await chmod(directory, 0o555);
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /could not be written .*make room/),
  );
  await chmod(directory, 0o755);
  assert.deepEqual(await firmware.boot(['0 tryboot']), old);
});
