import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { findBootPartition, findSystemdBoot } from '#boot/systemd-boot/boot-partition.ts';
import { systemdBoot } from '#boot/systemd-boot/systemd-boot.ts';
import { loaderSetting, slotDevices } from '../../support/loader-setting.ts';
import { LoopDisk, whyNoLoopDisks } from '../../support/loop-disk.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { SystemdBootMachine } from '../../support/systemd-boot-machine.ts';

const never = new AbortController().signal;

async function putSystemdBoot(esp: string): Promise<void> {
  await mkdir(join(esp, 'EFI/systemd'), { recursive: true });
  await writeFile(join(esp, 'EFI/systemd/systemd-bootx64.efi'), '');
}

test('the boot partition is the extended one with entries, else the one with systemd-boot on it', async (t) => {
  const root = await scratchDirectory(t);
  const setting = loaderSetting(root);
  const find = (): Promise<string> => findBootPartition(setting, slotDevices(), never);
  await mkdir(join(root, 'boot'));
  await assert.rejects(
    find(),
    /neither loader\/entries nor EFI\/systemd was found in .*\/boot, .*\/boot\/efi, .*\/efi; mount/,
  );
  assert.equal(await findSystemdBoot(setting), undefined);
  await putSystemdBoot(join(root, 'efi'));
  assert.equal(await find(), join(root, 'efi'));
  assert.equal(await findSystemdBoot(setting), join(root, 'efi/EFI/systemd'));
  await mkdir(join(root, 'boot/loader/entries'), { recursive: true });
  assert.equal(await find(), join(root, 'boot'));
});

test('another boot loader that started this system is believed', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  await putSystemdBoot(machine.boot);
  await machine.setVariable('LoaderInfo', 'GRUB 2.12');
  assert.equal(await systemdBoot.detect(machine.setting), undefined);
  await machine.setVariable('LoaderInfo', 'systemd-boot 249.11-0ubuntu3');
  await assert.rejects(
    systemdBoot.open(machine.setting, 'reader'),
    /249.* install systemd-boot 250 or newer/,
  );
});

/** A disk that systemd-boot boots, as far as files tell; `slot_a` runs. */
async function disk(t: TestContext) {
  const made = LoopDisk.create(t, [
    { name: 'esp', kib: 4096 },
    { name: 'slot_a', kib: 4096 },
    { name: 'slot_b', kib: 4096 },
  ]);
  for (const number of [1, 2]) made.format(number, 'ext4', '-O', '^has_journal');
  const [esp, root] = [made.mount(1), made.mount(2)];
  return { esp, root };
}

test('it is found with its slots, but not inside of one', { skip: whyNoLoopDisks() }, async (t) => {
  const { esp, root } = await disk(t);
  await putSystemdBoot(esp);
  const setting = { ...loaderSetting(root), bootDirectory: esp };
  assert.match((await systemdBoot.detect(setting))?.reason ?? '', /it lies in .*EFI\/systemd/);
  const loader = await systemdBoot.open(setting, 'reader');
  assert.equal(loader.booted, 'slot_a');
  assert.ok(loader.status.kind === 'shared');
  assert.equal(loader.status.directory('slot_b'), join(esp, 'ota-status/slot_b'));
  execFileSync('mount', ['-o', 'remount,ro', esp]);
  await assert.rejects(
    systemdBoot.open(setting, 'daemon'),
    /the boot partition cannot be written to: .* mount it writable/,
  );
  await putSystemdBoot(join(root, 'boot'));
  const inside = { ...loaderSetting(root), options: { ...setting.options, statusDirectory: esp } };
  await assert.rejects(
    systemdBoot.open(inside, 'reader'),
    /boot lies inside a slot, where systemd-boot does not see it/,
  );
});
