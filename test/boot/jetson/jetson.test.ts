import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { bspOf } from '#boot/jetson/bsp.ts';
import { JetsonLoader, jetsonCboot, jetsonUefi } from '#boot/jetson/jetson.ts';
import { Nvbootctrl } from '#boot/jetson/nvbootctrl.ts';
import type { SlotId } from '#boot/slots.ts';
import { JetsonFirmware } from '../../support/jetson-firmware.ts';
import type { TestSetting } from '../../support/loader-setting.ts';
import { loaderSetting, slotDevices } from '../../support/loader-setting.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

interface Jetson {
  readonly firmware: JetsonFirmware;
  readonly root: string;
  readonly setting: TestSetting;
  /** The loader as the daemon opens it in the slot that runs. */
  readonly start: (booted?: SlotId) => Promise<JetsonLoader>;
  readonly status: (word: string, slotInUse: string) => Promise<void>;
}

async function jetson(t: TestContext, name: 'jetson-cboot' | 'jetson-uefi', unified = true): Promise<Jetson> {
  const firmware = await JetsonFirmware.onPath(t);
  const root = await scratchDirectory(t);
  const setting = loaderSetting(root, { toolTimeoutMs: 1000 });
  await mkdir(join(root, 'boot/ota-status'), { recursive: true });
  return {
    firmware,
    root,
    setting,
    start: async (booted = 'slot_a') => {
      const tool = new Nvbootctrl(setting.options.toolTimeoutMs);
      const devices = slotDevices();
      const { efivars } = firmware;
      const loader = new JetsonLoader({ name, booted, devices, tool, unified, setting, efivars });
      await loader.beginTrial();
      return loader;
    },
    status: async (word, slotInUse) => {
      await writeFile(join(root, 'boot/ota-status/status'), word);
      await writeFile(join(root, 'boot/ota-status/slot_in_use'), slotInUse);
    },
  };
}

function bootError(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof BootError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

for (const name of ['jetson-cboot', 'jetson-uefi'] as const) {
  test(`${name}: a release that starts once and dies is not booted a second time`, async (t) => {
    const { firmware, start, status } = await jetson(t, name);
    await (await start()).tryOnce('slot_b');
    assert.equal(await firmware.boot('bootloader', () => true), '1');
    await status('UPDATING', '1');
    await start('slot_b');
    assert.equal(
      await firmware.boot('bootloader', () => true),
      '0',
      'any further boot takes the old release',
    );
  });

  test(`${name}: a release that never starts is left by the firmware itself`, async (t) => {
    const { firmware, start, status } = await jetson(t, name);
    await (await start()).tryOnce('slot_b');
    assert.equal(await firmware.boot('bootloader', (slot) => slot !== '1'), '0');
    await status('FAILURE', '1');
    await (await start()).cancelTry();
    assert.equal(await firmware.get('active-bootloader'), '0');
    await (await start()).tryOnce('slot_b');
    assert.equal(await firmware.boot('bootloader', () => true), '1', 'the next release is tried again');
  });

  test(`${name}: a confirmed release stays, and its attempts are reset`, async (t) => {
    const { firmware, start, status } = await jetson(t, name);
    await (await start()).tryOnce('slot_b');
    await firmware.boot('bootloader', () => true);
    await status('UPDATING', '1');
    const loader = await start('slot_b');
    await loader.makeDefault('slot_b');
    await status('SUCCESS', '1');
    await (await start('slot_b')).cancelTry();
    assert.equal(await firmware.boot('bootloader', () => true), '1');
  });

  test(`${name}: a release on trial that is let boot once more does so once`, async (t) => {
    const { firmware, start, status } = await jetson(t, name);
    await (await start()).tryOnce('slot_b');
    await firmware.boot('bootloader', () => true);
    await status('UPDATING', '1');
    await (await start('slot_b')).tryOnce('slot_b');
    assert.equal(await firmware.boot('bootloader', () => true), '1');
    await (await start('slot_b')).cancelTry();
    assert.equal(await firmware.boot('bootloader', () => true), '0');
  });
}

test('without unified A/B both chains are switched, the standby is withheld while it is written, and success is marked', async (t) => {
  const { firmware, start, status } = await jetson(t, 'jetson-cboot', false);
  const loader = await start();
  await loader.withhold('slot_b');
  assert.equal(await firmware.get('tries-1'), '0');
  await loader.tryOnce('slot_b');
  assert.equal(await firmware.get('active-rootfs'), '1');
  assert.equal(await firmware.get('active-bootloader'), '1');
  await firmware.boot('rootfs', () => true);
  await status('UPDATING', '1');
  await (await start('slot_b')).makeDefault('slot_b');
  const calls = (await firmware.get('calls')).split('\n');
  assert.equal(calls.at(-1), 'rootfs mark-boot-successful', 'it takes no slot');
});

test('an early R32 tells the active slot by priorities only', async (t) => {
  const { firmware, start } = await jetson(t, 'jetson-cboot');
  await firmware.set('style', 'r32');
  await (await start()).tryOnce('slot_b');
  assert.equal(await firmware.get('active-bootloader'), '1');
  await firmware.beIn('lying');
  await assert.rejects((await start()).cancelTry(), bootError('switch_failed', /shows slot 1 as active/));
});

test('a tool that lies, fails or hangs is named, and so is a slot that the firmware refuses', async (t) => {
  const { firmware, start } = await jetson(t, 'jetson-uefi');
  const loader = await start();
  await firmware.beIn('lying');
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /reported success, but dump-slots-info shows slot 0 as active/),
  );
  await firmware.beIn('failing');
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /dump-slots-info.*exit code 1.*dev\/mem/),
  );
  await firmware.beIn('hanging');
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /hung and was killed after 1000 ms/),
  );
  await firmware.beIn('honest');
  await firmware.set('tries-1', '0');
  await firmware.set('sticky', 'yes');
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /slot 1 \(slot_b\) of the bootloader for unbootable.*repair the firmware/),
  );
});

test('a slot whose root file system failed before is made bootable for the next release', async (t) => {
  const { firmware, root, start } = await jetson(t, 'jetson-uefi');
  const variable = join(firmware.efivars, 'RootfsStatusSlotB-781e084c-a330-417c-b678-38e696380cb9');
  await mkdir(firmware.efivars);
  await mkdir(join(root, 'etc'));
  await writeFile(variable, Buffer.from([7, 0, 0, 0, 0xff, 0, 0, 0]));
  await writeFile(
    join(root, 'etc/nv_boot_control.conf'),
    'TNSPEC x\nTEGRA_OTA_BOOT_DEVICE /dev/mmcblk0boot0\n',
  );
  const loader = await start();
  await assert.rejects(
    loader.tryOnce('slot_b'),
    bootError('switch_failed', /not keep its variables in QSPI/),
  );
  assert.equal((await readFile(variable))[4], 0xff, 'elsewhere it is not touched');
  await writeFile(join(root, 'etc/nv_boot_control.conf'), 'TEGRA_OTA_BOOT_DEVICE /dev/mtdblock0\n');
  await loader.tryOnce('slot_b');
  assert.deepEqual(await readFile(variable), Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]));
  const calls = await firmware.get('calls');
  assert.match(calls, /chattr -i \S+RootfsStatusSlotB\S+\nchattr \+i /);
  assert.equal(await firmware.boot('bootloader', () => true), '1');
});

test('a boot choice that cannot be set back is logged, and does not stop the trial', async (t) => {
  const { firmware, start, status, setting } = await jetson(t, 'jetson-uefi');
  await firmware.set('active-bootloader', '1');
  await status('UPDATING', '1');
  await firmware.beIn('failing');
  await start('slot_b');
  assert.match(setting.log.lines.join('\n'), /warn the boot choice could not be set back/);
});

test('a release is installed by its root in extlinux.conf and fstab', async (t) => {
  const { root: activeRoot, start } = await jetson(t, 'jetson-uefi');
  const root = await scratchDirectory(t);
  const device = slotDevices().slot_b;
  await mkdir(join(root, 'boot/extlinux'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'boot/Image'), 'kernel');
  await writeFile(join(root, 'etc/fstab'), '/dev/root / ext4 defaults 0 1\n');
  await writeFile(join(root, 'etc/nv_tegra_release'), '# R35 (release), REVISION: 4.1, GCID: 1, BOARD: x\n');
  const conf = join(root, 'boot/extlinux/extlinux.conf');
  await writeFile(
    conf,
    'DEFAULT primary\nLABEL primary\n  LINUX /boot/Image\n  APPEND ${cbootargs} root=/dev/mmcblk0p1 rw quiet\n' +
      '# APPEND root=/dev/sda1\n',
  );
  await (await start()).install({ slot: 'slot_b', root, activeRoot, device });
  assert.equal(
    await readFile(conf, 'utf8'),
    'DEFAULT primary\nLABEL primary\n  LINUX /boot/Image\n  APPEND ${cbootargs} root=PARTUUID=partuuid-of-slot_b rw quiet\n' +
      '# APPEND root=/dev/sda1\n',
  );
  assert.match(await readFile(join(root, 'etc/fstab'), 'utf8'), /^PARTUUID=partuuid-of-slot_b \/ ext4 /);
});

test('a release for another firmware is refused by name; one that does not tell is taken', async (t) => {
  const { root: activeRoot, start } = await jetson(t, 'jetson-uefi');
  const root = await scratchDirectory(t);
  const tree = { slot: 'slot_b', root, activeRoot, device: slotDevices().slot_b } as const;
  await mkdir(join(root, 'boot/extlinux'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'boot/extlinux/extlinux.conf'), 'LABEL primary\n  APPEND quiet\n');
  const loader = await start();
  await loader.install(tree);
  await writeFile(join(root, 'etc/nv_tegra_release'), '# R36 (release), REVISION: 3.0, GCID: 1, BOARD: x\n');
  await assert.rejects(
    loader.install(tree),
    bootError('release_refused', /built for Jetson Linux 36\.3\.0, and this ECU has 35\.4\.1/),
  );
});

test('the version of Jetson Linux tells which of both it is', async (t) => {
  const root = await scratchDirectory(t);
  const setting = loaderSetting(root);
  assert.equal(await jetsonUefi.detect(setting), undefined);
  await mkdir(join(root, 'etc'));
  const release = join(root, 'etc/nv_tegra_release');
  await writeFile(release, '# R32 (release), REVISION: 6.1, GCID: 27863751, BOARD: t186ref\n');
  assert.match((await jetsonCboot.detect(setting))?.reason ?? '', /says Jetson Linux R32\.6\.1/);
  assert.equal(await jetsonUefi.detect(setting), undefined);
  await writeFile(release, '# R35 (release), REVISION: 4.1, GCID: 1, BOARD: t186ref\n');
  assert.equal(await jetsonCboot.detect(setting), undefined);
  assert.match((await jetsonUefi.detect(setting))?.reason ?? '', /R35\.4\.1/);
});

test('the version behind a link is that of the tree it is asked of', async (t) => {
  const [root, running] = [await scratchDirectory(t), await scratchDirectory(t)];
  for (const name of ['etc', 'usr/etc']) await mkdir(join(root, name), { recursive: true });
  await writeFile(join(running, 'release'), '# R35 (release), REVISION: 4.1, GCID: 1, BOARD: t186ref\n');
  await symlink(join(running, 'release'), join(root, 'etc/nv_tegra_release'));
  assert.equal(await bspOf(root), undefined);
  await mkdir(join(root, running), { recursive: true });
  await writeFile(join(root, running, 'release'), '# R36 (release), REVISION: 3.0, GCID: 1\n');
  assert.equal((await bspOf(root))?.text, '36.3.0');
});

test('a Jetson that was flashed without A/B slots, or has no tool, is not worked on', async (t) => {
  const { firmware, setting } = await jetson(t, 'jetson-cboot');
  await firmware.set('unified', '69');
  await assert.rejects(
    jetsonCboot.open(setting, 'daemon'),
    bootError('startup_failed', /flash it with ROOTFS_AB=1/),
  );
  const path = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    await assert.rejects(jetsonUefi.open(setting, 'daemon'), bootError('startup_failed', /nvidia-l4t-tools/));
  } finally {
    process.env['PATH'] = path;
  }
});
