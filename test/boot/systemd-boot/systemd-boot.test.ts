import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { SystemdBootMachine } from '../../support/systemd-boot-machine.ts';

const [old, next] = ['kernel of one', 'kernel of two'];

/** Kernels of so many boots, one after the other. */
async function boots(machine: SystemdBootMachine, times: number): Promise<readonly string[]> {
  const kernels: string[] = [];
  for (let at = 0; at < times; at++) kernels.push((await machine.power()).kernel);
  return kernels;
}

async function errorOf(call: Promise<unknown>): Promise<BootError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BootError, `a BootError, not ${String(error)}`);
  return error;
}

describe('systemd-boot', () => {
  it('tries a slot once, falls back, tries it again when asked to, and keeps it when confirmed', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    assert.deepEqual(await boots(machine, 1), [old], 'nothing is switched yet');
    await machine.loader('slot_a').tryOnce('slot_b');
    assert.deepEqual(await boots(machine, 3), [next, old, old]);
    await machine.loader('slot_a').tryOnce('slot_b');
    assert.deepEqual(await boots(machine, 1), [next]);
    await machine.loader('slot_b').tryOnce('slot_b');
    assert.deepEqual(await boots(machine, 1), [next]);
    await machine.loader('slot_b').makeDefault('slot_b');
    assert.deepEqual(await boots(machine, 3), [next, next, next]);
    assert.deepEqual(await machine.entries(), ['ota-slot_a.conf', 'ota-slot_b.conf']);
  });

  it('goes back to a slot that was confirmed, on trial as well', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.loader('slot_a').tryOnce('slot_b');
    await machine.power();
    await machine.loader('slot_b').makeDefault('slot_b');
    await machine.loader('slot_b').tryOnce('slot_a');
    assert.deepEqual(await boots(machine, 2), [old, next]);
    await machine.loader('slot_b').tryOnce('slot_a');
    await machine.power();
    await machine.loader('slot_a').makeDefault('slot_a');
    assert.deepEqual(await boots(machine, 2), [old, old]);
  });

  it('boots the default when a trial is taken back, in the old slot and in the new one', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.loader('slot_a').tryOnce('slot_b');
    await machine.loader('slot_a').cancelTry();
    assert.deepEqual(await boots(machine, 1), [old]);
    await machine.loader('slot_a').tryOnce('slot_b');
    await machine.power();
    await machine.loader('slot_b').tryOnce('slot_b');
    await machine.loader('slot_b').cancelTry();
    assert.deepEqual(await boots(machine, 1), [old]);
    await machine.loader('slot_b').makeDefault('slot_b');
    assert.deepEqual(await boots(machine, 2), [next, next]);
  });

  it('gives up a slot for the old one', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.loader('slot_a').tryOnce('slot_b');
    await machine.power();
    await machine.loader('slot_b').tryOnce('slot_b');
    await machine.loader('slot_b').makeDefault('slot_a');
    assert.deepEqual(await boots(machine, 2), [old, old]);
  });

  it('wins over entries and defaults of others, and over variables that were set by hand', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.write('vmlinuz-other', 'kernel of others');
    await machine.write(
      'loader/entries/debian.conf',
      'title Debian\nsort-key debian\nversion 99\nlinux /vmlinuz-other\n',
    );
    await machine.write('loader/entries/z.conf', 'title Z\nlinux /vmlinuz-other\n');
    await machine.write('loader/loader.conf', 'timeout 3\ndefault debian.conf\n');
    await machine.setVariable('LoaderEntryDefault', 'debian.conf');
    await machine.setVariable('LoaderEntryOneShot', 'z.conf');
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.loader('slot_a').tryOnce('slot_b');
    assert.deepEqual(await boots(machine, 3), [next, old, old]);
    assert.equal(
      await readFile(join(machine.boot, 'loader/loader.conf'), 'utf8'),
      'default ota-*\ntimeout 3\n',
    );
  });

  it('keeps an entry that was written by hand for the running release', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.write('linux', old);
    await machine.write(
      'loader/entries/ota-slot_a.conf',
      'title A\nlinux /linux\noptions root=LABEL=slot_a quiet\n',
    );
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.loader('slot_a').tryOnce('slot_b');
    const [first, second] = [await machine.power(), await machine.power()];
    assert.equal(first.options, 'root=UUID=uuid-of-slot_b quiet panic=10');
    assert.deepEqual(second, { kernel: old, options: 'root=LABEL=slot_a quiet', id: 'ota-slot_a.conf' });
  });
});

test('the new slot gets the command line of the running release, or that of its image, with its own root', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  const tree = await machine.release(t, '6.1.0-2', 'two');
  await machine.loader('slot_a').install(tree);
  await machine.loader('slot_a').tryOnce('slot_b');
  assert.equal((await machine.power()).options, 'root=UUID=uuid-of-slot_b ro console=ttyS0 panic=10');
  assert.equal((await machine.power()).options, 'root=UUID=uuid-of-slot_a ro console=ttyS0');
  await mkdir(join(tree.root, 'etc/kernel'));
  await writeFile(join(tree.root, 'etc/kernel/cmdline'), 'root=/dev/sdz quiet panic=3\n');
  await machine.loader('slot_a').install(tree);
  await machine.loader('slot_a').tryOnce('slot_b');
  assert.equal((await machine.power()).options, 'root=UUID=uuid-of-slot_b quiet panic=3');
});

test('only the OTA client confirms: the service that would do so at every start is masked', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  const tree = await machine.release(t, '6.1.0-2', 'two');
  await machine.loader('slot_a').install(tree);
  for (const root of [tree.root, machine.setting.activeRoot]) {
    assert.equal(await readlink(join(root, 'etc/systemd/system/systemd-bless-boot.service')), '/dev/null');
  }
});

test('a slot that is about to be written to cannot be booted, also not from the menu', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
  await machine.loader('slot_a').tryOnce('slot_b');
  await machine.loader('slot_a').withhold('slot_b');
  assert.deepEqual(await machine.entries(), ['ota-slot_a.conf']);
});

test('old kernels of a slot make room for new ones, those of the other slot stay', async (t) => {
  const machine = await SystemdBootMachine.create(t);
  await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
  await machine.loader('slot_a').tryOnce('slot_b');
  await machine.loader('slot_a').install(await machine.release(t, '6.1.0-3', 'three'));
  assert.deepEqual(await machine.entries(), ['ota-slot_a.conf'], 'what is half there is not booted');
  assert.deepEqual((await readdir(join(machine.boot, 'ota-slot_b'))).sort(), [
    'entry',
    'initrd.img-6.1.0-3',
    'vmlinuz-6.1.0-3',
  ]);
  assert.deepEqual((await readdir(join(machine.boot, 'ota-slot_a'))).sort(), [
    'entry',
    'initrd.img-6.1.0-1',
    'vmlinuz-6.1.0-1',
  ]);
});

describe('what keeps systemd-boot from booting a slot is named', () => {
  it('a kernel that has gone', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await writeFile(join(machine.boot, 'ota-slot_b/initrd.img-6.1.0-2'), '');
    const error = await errorOf(machine.loader('slot_a').tryOnce('slot_b'));
    assert.match(
      error.message,
      /slot_b cannot be booted: \/ota-slot_b\/initrd\.img-6\.1\.0-2 is not on the boot partition/,
    );
    assert.deepEqual(await boots(machine, 1), [old]);
  });

  it('a release without a kernel, with nothing changed', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    const tree = await machine.release(t, '6.1.0-2', 'two');
    await rm(join(tree.root, 'boot/initrd.img-6.1.0-2'));
    assert.match(
      (await errorOf(machine.loader('slot_a').install(tree))).message,
      /the release has no kernel/,
    );
    assert.deepEqual(await machine.entries(), []);
  });

  it('a running release whose kernel is not found', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await rm(join(machine.setting.activeRoot, 'boot'), { recursive: true });
    const error = await errorOf(machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two')));
    assert.match(error.message, /no boot entry that a failed trial could come back to/);
  });

  it('a boot partition that is full, with the running release booting as before', {
    skip: process.geteuid?.() !== 0 && 'only root can mount a small file system',
  }, async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    const tree = await machine.release(t, '6.1.0-3', 'three');
    await writeFile(join(tree.root, 'boot/initrd.img-6.1.0-3'), Buffer.alloc(1 << 20));
    const small = await scratchDirectory(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
    try {
      await cp(machine.boot, small, { recursive: true });
      const full = SystemdBootMachine.at(machine.setting.activeRoot, small);
      const error = await errorOf(full.loader('slot_a').install(tree));
      assert.equal(error.code, 'prepare_failed');
      assert.match(
        error.message,
        /slot_b could not be made bootable: ENOSPC.*; the boot partition at \S+ is full: remove/,
      );
      assert.deepEqual(await boots(full, 2), [old, old]);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('a variable that bootctl says it cleared', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.setVariable('LoaderEntryDefault', 'other.conf');
    await writeFile(join(machine.programs, 'lying'), '');
    const error = await errorOf(machine.loader('slot_a').tryOnce('slot_b'));
    assert.match(error.message, /LoaderEntryDefault=other\.conf decides what is booted/);
    assert.ok(!(await machine.entries()).includes('ota-slot_b+1.conf'));
  });

  it('bootctl that is not there', async (t) => {
    const machine = await SystemdBootMachine.create(t);
    await machine.loader('slot_a').install(await machine.release(t, '6.1.0-2', 'two'));
    await machine.setVariable('LoaderEntryDefault', 'other.conf');
    const before = process.env['PATH'];
    process.env['PATH'] = await scratchDirectory(t);
    try {
      const error = await errorOf(machine.loader('slot_a').tryOnce('slot_b'));
      assert.match(error.message, /bootctl set-default ` could not be run .*; install systemd-boot/);
    } finally {
      process.env['PATH'] = before;
    }
  });
});
