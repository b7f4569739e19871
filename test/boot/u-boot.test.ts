import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it, test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { chooseControl } from '#boot/choose-control.ts';
import { UBootLoader, uBoot } from '#boot/u-boot.ts';
import { UBootEnvironment } from '#boot/u-boot-environment.ts';
import { loaderSetting, slotDevices } from '../support/loader-setting.ts';
import { missingPrograms } from '../support/missing-programs.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { UBootMachine } from '../support/u-boot-machine.ts';

/** What the environment is while slot_b is tried. */
const onTrial = {
  ota_slot: 'slot_a',
  bootlimit: '1',
  bootcount: '1',
  ota_try: 'slot_b',
  upgrade_available: '1',
};

function loaderOf(booted: 'slot_a' | 'slot_b', timeoutMs = 5000): UBootLoader {
  return new UBootLoader({
    booted,
    devices: slotDevices(),
    status: { kind: 'in_slot', path: 'unused' },
    vehicle: [],
    environment: new UBootEnvironment(timeoutMs),
    reboot: async () => {},
  });
}

/** The error of the boot control that a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<BootError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BootError, `a BootError, not ${String(error)}`);
  return error;
}

describe('U-Boot', () => {
  for (const tool of ['libubootenv', 'u-boot-tools', 'without scripts'] as const) {
    it(`tries a slot once, falls back, and tries it again when asked to (${tool})`, async (t) => {
      const machine = await UBootMachine.onPath(t, tool);
      await loaderOf('slot_a').tryOnce('slot_b');
      assert.deepEqual(
        [await machine.boot(), await machine.boot(), await machine.boot()],
        ['slot_b', 'slot_a', 'slot_a'],
      );
      await loaderOf('slot_a').tryOnce('slot_b');
      assert.equal(await machine.boot(), 'slot_b');
      await loaderOf('slot_b').tryOnce('slot_b');
      assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_a']);
    });

    it(`boots the confirmed slot from then on (${tool})`, async (t) => {
      const machine = await UBootMachine.onPath(t, tool);
      await loaderOf('slot_a').tryOnce('slot_b');
      await machine.boot();
      await loaderOf('slot_b').makeDefault('slot_b');
      assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_b']);
      const { ota_try, upgrade_available, bootcount, bootcmd } = await machine.variables();
      assert.deepEqual([ota_try, upgrade_available, bootcount], [undefined, '0', '0']);
      assert.equal(bootcmd, 'run boot_slot', 'what is not ours stays');
    });

    it(`boots the default when a trial is taken back (${tool})`, async (t) => {
      const machine = await UBootMachine.onPath(t, tool);
      await loaderOf('slot_a').tryOnce('slot_b');
      await loaderOf('slot_a').cancelTry();
      assert.equal(await machine.boot(), 'slot_a');
    });
  }

  for (const tool of ['libubootenv', 'u-boot-tools'] as const) {
    it(`writes the environment once for a switch, and not at all when nothing changes (${tool})`, async (t) => {
      const machine = await UBootMachine.onPath(t, tool);
      await loaderOf('slot_a').tryOnce('slot_b');
      assert.equal((await machine.calls()).length, 1);
      await loaderOf('slot_a').tryOnce('slot_b');
      assert.deepEqual(await machine.calls(), []);
    });

    it(`has the old slot or the new one, and both only whole, wherever the power goes (${tool})`, async (t) => {
      const machine = await UBootMachine.onPath(t, tool);
      for (let cut = 1; cut <= 2; cut++) {
        await machine.environment(onTrial);
        await machine.mood(`cut ${cut}`);
        await loaderOf('slot_b')
          .makeDefault('slot_b')
          .catch(() => {});
        assert.equal((await machine.variables())['ota_slot'], 'slot_b', `cut after ${cut} writes`);
      }
    });
  }

  it('falls back to the other slot even where the default was changed by hand', async (t) => {
    const machine = await UBootMachine.onPath(t);
    await machine.environment({ ota_slot: 'slot_b', bootlimit: '5' });
    await loaderOf('slot_a').tryOnce('slot_b');
    assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_a']);
  });
});

test('a power cut between any two writes leaves a trial of one attempt, or none', async (t) => {
  const machine = await UBootMachine.onPath(t, 'without scripts');
  const before = { ota_slot: 'slot_a', bootlimit: '3', bootcount: '7', ota_try: 'slot_a' };
  const seen: string[] = [];
  for (let cut = 1; cut <= 6; cut++) {
    await machine.environment(before);
    await machine.mood(`cut ${cut}`);
    await loaderOf('slot_a')
      .tryOnce('slot_b')
      .catch(() => {});
    const boots = [await machine.boot(), await machine.boot()];
    assert.equal(boots[1], 'slot_a', `cut after ${cut} writes`);
    seen.push(String(boots[0]));
  }
  assert.deepEqual(seen, ['slot_a', 'slot_a', 'slot_a', 'slot_b', 'slot_b', 'slot_b']);
});

test('a power cut while a release is confirmed keeps it, or falls back', async (t) => {
  const machine = await UBootMachine.onPath(t, 'without scripts');
  for (let cut = 1; cut <= 4; cut++) {
    await machine.environment(onTrial);
    await machine.mood(`cut ${cut}`);
    await loaderOf('slot_b')
      .makeDefault('slot_b')
      .catch(() => {});
    assert.deepEqual(
      [await machine.boot(), await machine.boot()],
      ['slot_b', 'slot_b'],
      `cut after ${cut} writes`,
    );
  }
});

describe('a tool of U-Boot that does not do its work', () => {
  for (const [mood, message] of [
    ['lying', /said it succeeded, but .*upgrade_available did not change/],
    ['failing', /`fw_printenv` ended with exit code 1: Cannot access MTD device/],
    ['hanging', /`fw_printenv` hung and was killed after 300 ms/],
    ['damaged', /environment is damaged: its checksum is wrong/],
    ['unreadable', /environment is damaged: its checksum is wrong/],
  ] as const) {
    it(`is found out: ${mood}`, async (t) => {
      const machine = await UBootMachine.onPath(t);
      await machine.mood(mood);
      const error = await errorOf(loaderOf('slot_a', 300).tryOnce('slot_b'));
      assert.equal(error.code, 'switch_failed');
      assert.match(error.message, message);
      await machine.mood('honest');
      assert.equal(await machine.boot(), 'slot_a');
    });
  }

  it('is found out: not installed', async (t) => {
    const before = process.env['PATH'];
    process.env['PATH'] = await scratchDirectory(t);
    t.after(() => {
      process.env['PATH'] = before;
    });
    const error = await errorOf(loaderOf('slot_a').tryOnce('slot_b'));
    assert.match(error.message, /could not be run .*ENOENT.*; install libubootenv-tool or u-boot-tools/);
  });
});

test('an environment that is not prepared for two slots is refused by name, and not detected', async (t) => {
  const machine = await UBootMachine.onPath(t);
  const setting = loaderSetting(await scratchDirectory(t));
  assert.match((await uBoot.detect(setting))?.reason ?? '', /ota_slot=slot_a/);
  await machine.environment({ bootcmd: 'run distro_bootcmd' });
  assert.equal(await uBoot.detect(setting), undefined);
  const missing = await errorOf(uBoot.open(setting, 'daemon'));
  assert.equal(missing.code, 'startup_failed');
  assert.match(missing.message, /ota_slot is not set in the U-Boot environment; give U-Boot a boot script/);
  await machine.environment({ ota_slot: '2' });
  assert.match((await errorOf(uBoot.open(setting, 'daemon'))).message, /ota_slot is "2"/);
});

test('an environment that cannot be read is no reason to look for another boot loader in silence', async (t) => {
  const machine = await UBootMachine.onPath(t);
  const setting = loaderSetting(await scratchDirectory(t), { toolTimeoutMs: 300 });
  for (const [mood, message] of [
    ['damaged', /environment is damaged: its checksum is wrong; save it again from U-Boot/],
    ['unreadable', /environment is damaged/],
    ['failing', /environment cannot be read: .*Cannot access MTD device/],
    ['hanging', /`fw_printenv` hung and was killed/],
  ] as const) {
    await machine.mood(mood);
    await assert.rejects(async () => uBoot.detect(setting), message, mood);
    const found = chooseControl({
      bootloader: 'auto_detect',
      setting,
      directory: { configured: undefined, prepared: undefined },
    });
    assert.match((await errorOf(found)).message, message, mood);
  }
});

test('a machine without the tools of U-Boot is none of its', async (t) => {
  const before = process.env['PATH'];
  process.env['PATH'] = await scratchDirectory(t);
  t.after(() => {
    process.env['PATH'] = before;
  });
  assert.equal(await uBoot.detect(loaderSetting(await scratchDirectory(t))), undefined);
});

/** The real tools of libubootenv, on an environment in a file. */
async function realTools(t: TestContext): Promise<string> {
  const directory = await scratchDirectory(t);
  const text = 'bootcmd=run boot_slot\nota_slot=slot_a\n';
  await writeFile(join(directory, 'text'), text);
  const image = join(directory, 'image');
  execFileSync('mkenvimage', ['-r', '-s', '0x2000', '-o', image, join(directory, 'text')]);
  const copy = await readFile(image);
  await writeFile(image, Buffer.concat([copy, copy]));
  const config = join(directory, 'fw_env.config');
  await writeFile(config, `${image} 0x0 0x2000\n${image} 0x2000 0x2000\n`);
  await programsOnPath(t, {
    fw_printenv: `exec /usr/bin/fw_printenv -c ${config} "$@"`,
    fw_setenv: `exec /usr/bin/fw_setenv -c ${config} "$@"`,
  });
  return image;
}

test('the tools of libubootenv take what is set, and a damaged environment is not overwritten', {
  skip: missingPrograms('fw_printenv', 'fw_setenv', 'mkenvimage'),
}, async (t) => {
  const image = await realTools(t);
  await loaderOf('slot_a').tryOnce('slot_b');
  const variables = await new UBootEnvironment(5000).read('switch_failed');
  assert.deepEqual(
    ['ota_slot', 'ota_try', 'upgrade_available', 'bootcount', 'bootlimit', 'bootcmd'].map((name) =>
      variables.get(name),
    ),
    ['slot_a', 'slot_b', '1', '0', '1', 'run boot_slot'],
  );
  const bytes = await readFile(image);
  bytes.fill(0x55, 16, 64);
  bytes.fill(0x55, 0x2000 + 16, 0x2000 + 64);
  await writeFile(image, bytes);
  assert.match((await errorOf(loaderOf('slot_b').makeDefault('slot_b'))).message, /environment is damaged/);
  assert.deepEqual(await readFile(image), bytes);
});
