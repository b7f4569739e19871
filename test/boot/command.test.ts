import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it, test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { CommandLoader, command } from '#boot/command.ts';
import type { SlotId } from '#boot/slots.ts';
import { CommandMachine } from '../support/command-machine.ts';
import { loaderSetting, slotDevices } from '../support/loader-setting.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

function loaderOf(machine: CommandMachine, booted: SlotId, timeoutMs = 5000): CommandLoader {
  const devices = slotDevices();
  return new CommandLoader({
    booted,
    devices,
    status: { kind: 'in_slot', path: 'unused' },
    vehicle: [],
    tool: {
      program: machine.path,
      mend: 'unused',
      timeoutMs,
      env: { OTA_SLOT_B_DEVICE: devices.slot_b.path },
    },
    reboot: async () => {},
  });
}

async function errorOf(call: Promise<unknown>): Promise<BootError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BootError, `a BootError, not ${String(error)}`);
  return error;
}

/** A slot's tree as it is when an update is complete. */
async function treeIn(t: TestContext) {
  const [root, activeRoot] = [await scratchDirectory(t), await scratchDirectory(t)];
  await mkdir(join(root, 'etc'));
  await mkdir(join(activeRoot, 'etc'));
  return { slot: 'slot_b', root, activeRoot, device: slotDevices().slot_b } as const;
}

describe("an integrator's executable", () => {
  it('tries a slot once, falls back, tries it again when asked to, and keeps it when confirmed', async (t) => {
    const machine = await CommandMachine.create(t);
    await loaderOf(machine, 'slot_a').tryOnce('slot_b');
    assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_a']);
    await loaderOf(machine, 'slot_a').tryOnce('slot_b');
    assert.equal(await machine.boot(), 'slot_b');
    await loaderOf(machine, 'slot_b').tryOnce('slot_b');
    assert.equal(await machine.boot(), 'slot_b');
    await loaderOf(machine, 'slot_b').makeDefault('slot_b');
    assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_b']);
  });

  it('forgets a trial that is taken back, in the old slot and in the new one', async (t) => {
    const machine = await CommandMachine.create(t);
    await loaderOf(machine, 'slot_a').tryOnce('slot_b');
    await loaderOf(machine, 'slot_a').cancelTry();
    assert.equal(await machine.boot(), 'slot_a');
    await loaderOf(machine, 'slot_a').tryOnce('slot_b');
    await machine.boot();
    await loaderOf(machine, 'slot_b').tryOnce('slot_b');
    await loaderOf(machine, 'slot_b').cancelTry();
    assert.equal(await machine.boot(), 'slot_a');
  });

  it('is told to fall back to the other slot where the default was changed by hand', async (t) => {
    const machine = await CommandMachine.create(t);
    await machine.set({ default: 'slot_b' });
    await loaderOf(machine, 'slot_a').tryOnce('slot_b');
    assert.deepEqual(await machine.calls(), [
      'state',
      'state',
      'default slot_a',
      'state',
      'try slot_b',
      'state',
    ]);
    assert.deepEqual([await machine.boot(), await machine.boot()], ['slot_b', 'slot_a']);
  });

  it('is not called to change what is as it should be', async (t) => {
    const machine = await CommandMachine.create(t);
    await loaderOf(machine, 'slot_a').makeDefault('slot_a');
    await loaderOf(machine, 'slot_a').cancelTry();
    assert.deepEqual([...new Set(await machine.calls())], ['state']);
  });

  it('gets the complete tree with its fstab, and the devices', async (t) => {
    const machine = await CommandMachine.create(t);
    const tree = await treeIn(t);
    await writeFile(join(tree.root, 'etc/fstab'), '/dev/sda1 / xfs defaults 0 1\n');
    await loaderOf(machine, 'slot_a').install(tree);
    assert.match(await readFile(join(tree.root, 'etc/fstab'), 'utf8'), /^UUID=uuid-of-slot_b \/ ext4 /);
    assert.equal(await readFile(join(tree.root, 'installed'), 'utf8'), `${tree.device.path}\n`);
    assert.ok((await machine.calls()).includes(`install slot_b ${tree.root}`));
  });
});

describe('an executable that does not do its work', () => {
  for (const [mood, message] of [
    [
      'lying',
      /`try slot_b` succeeded, but then `state` says default=slot_a instead of default=slot_a try=slot_b/,
    ],
    ['failing', /state` ended with exit code 3: no access to the boot flash/],
    ['hanging', /hung and was killed after 300 ms/],
    ['babbling', /`state` in the line `default=` says "", not slot_a or slot_b/],
    ['killed', /was ended by SIGKILL/],
  ] as const) {
    it(`is found out: ${mood}`, async (t) => {
      const machine = await CommandMachine.create(t);
      await machine.mood(mood);
      const error = await errorOf(loaderOf(machine, 'slot_a', 300).tryOnce('slot_b'));
      assert.equal(error.code, 'switch_failed');
      assert.match(error.message, message);
      assert.ok(error.message.includes(machine.path), 'says which executable');
    });
  }

  it('is found out: it contradicts what is mounted', async (t) => {
    const machine = await CommandMachine.create(t);
    const error = await errorOf(loaderOf(machine, 'slot_b').check());
    assert.equal(error.code, 'startup_failed');
    assert.match(
      error.message,
      /`booted` says slot_a, but the running release lies on .*p2, which is slot_b/,
    );
  });

  it('is found out: it switches while it installs', async (t) => {
    const machine = await CommandMachine.create(t);
    await writeFile(
      machine.path,
      `${await readFile(machine.path, 'utf8')}[ "$1" != install ] || echo slot_b > try\n`,
    );
    const error = await errorOf(loaderOf(machine, 'slot_a').install(await treeIn(t)));
    assert.match(
      error.message,
      /`install slot_b` succeeded, but then `state` says default=slot_a try=slot_b/,
    );
  });
});

test('without an executable the boot control is refused by name, and not detected', async (t) => {
  const root = await scratchDirectory(t);
  assert.equal(await command.detect(loaderSetting(root)), undefined);
  assert.match((await errorOf(command.open(loaderSetting(root), 'daemon'))).message, /boot\.command\.path/);
  const setting = loaderSetting(root, { command: { path: join(root, 'nothing') } });
  assert.match((await command.detect(setting))?.reason ?? '', /boot\.command\.path is/);
  assert.match(
    (await errorOf(command.open(setting, 'daemon'))).message,
    /nothing .* not there or not executable/,
  );
});
