import assert from 'node:assert/strict';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SlotArchive } from '#boot/slot-archive.ts';
import { runCommand } from '#host/command.ts';
import { readGuardNote } from '#update/health/guard-note.ts';
import { programsOnPath } from '../support/programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const script = fileURLToPath(new URL('../../scripts/systemd/ota-trial', import.meta.url));
const never = new AbortController().signal;

/** Fake tools that keep what they were told in `said`, and answer what the test wrote beside them. */
const programs = {
  systemctl: 'echo "systemctl $*" >> said; [ "$1" = show ] && cat state; exit 0',
  journalctl: 'printf \'say "no"\\tto C:\\\\temp\\n\\033[31mred\\n\'',
  findmnt: 'case "$*" in *PARTUUID*) cat partuuid;; *UUID*) echo FS-1;; *) echo /dev/vda3;; esac',
  reboot: 'echo "reboot $*" >> said',
};

interface Machine {
  readonly top: string;
  /** Runs the guard; what it told the service manager, and what it wrote. */
  readonly guard: (
    verb: string,
  ) => Promise<{ readonly said: string; readonly wrote: string; readonly exitCode: number }>;
  readonly file: (path: string, text: string) => Promise<void>;
}

/** A machine that runs from the partition `id-b`, whose ota.service has failed. */
async function machine(t: TestContext, files: Record<string, string>): Promise<Machine> {
  const tools = await programsOnPath(t, programs);
  const top = await scratchDirectory(t);
  const file = async (path: string, text: string): Promise<void> => {
    const full = join(top, path);
    await mkdir(join(full, '..'), { recursive: true });
    await writeFile(full, text);
  };
  await writeFile(join(tools, 'state'), 'failed\n');
  await writeFile(join(tools, 'partuuid'), 'ID-B\n');
  await file('proc/uptime', '1000.50 1.00\n');
  await file('proc/sys/kernel/random/boot_id', 'boot-1\n');
  for (const [path, text] of Object.entries(files)) await file(path, text);
  return {
    top,
    file,
    guard: async (verb) => {
      await writeFile(join(tools, 'said'), '');
      const env = { OTA_TRIAL_ROOT: top, OTA_TRIAL_RETRY_S: '0' };
      const { stdout, stderr, exitCode } = await runCommand(
        { argv: ['sh', script, verb], env, timeoutMs: 20_000 },
        never,
      );
      const said = await readFile(join(tools, 'said'), 'utf8');
      return { said, wrote: stdout + stderr, exitCode: exitCode ?? -1 };
    },
  };
}

/** Status files of two slots that both see; slot_b is booted for the first time. */
const shared = (place: (slot: string) => string): Record<string, string> => ({
  [`${place('slot_a')}/status`]: 'FAILURE',
  [`${place('slot_a')}/slot_in_use`]: 'slot_b',
  [`${place('slot_a')}/device`]: 'PARTUUID=id-a\nUUID=fs-1\n',
  [`${place('slot_b')}/status`]: 'UPDATING',
  [`${place('slot_b')}/slot_in_use`]: 'slot_b',
  [`${place('slot_b')}/device`]: 'PARTUUID=id-b\nUUID=fs-1\n',
});
const grub = {
  ...shared((slot) => `boot/ota-${slot}`),
  'boot/ota-slot_a/slot_in_use': 'ota-slot_b',
  'boot/ota-slot_b/slot_in_use': 'ota-slot_b',
};

test('a client that does not stay up ends the trial: word is left for both slots, then it reboots', async (t) => {
  const { top, guard } = await machine(t, grub);
  const { said } = await guard('failed');
  assert.match(said, /^systemctl --force reboot$/m);
  for (const slot of ['slot_a', 'slot_b']) {
    const note = await readGuardNote(new SlotArchive(join(top, 'boot', `ota-${slot}`)));
    assert.equal(note?.cause, 'daemon_failed');
    assert.match(note?.detail ?? '', /crashed or hung again and again/);
    assert.equal(note?.journal, 'say "no" to C:\\temp\n[31mred\n');
    assert.ok(Math.abs(Date.now() - (note?.when ?? 0)) < 60_000);
  }
});

test('status files are found wherever they lie', async (t) => {
  for (const files of [
    grub,
    shared((slot) => `boot/ota-status/${slot}`),
    { ...shared((slot) => `data/ota/${slot}`), 'etc/ota/ota.yml': 'boot:\n  status_directory: /data/ota\n' },
    { 'boot/ota-status/status': 'ROLLBACKING', 'boot/ota-status/slot_in_use': 'slot_b' },
    {
      'boot/ota-partition.sda2/status': 'FAILURE',
      'boot/ota-partition.sda2/device': 'PARTUUID=id-a\n',
      'boot/ota-partition.sda3/status': 'UPDATING',
      'boot/ota-partition.sda3/slot_in_use': 'sda3',
      'boot/ota-partition.sda3/device': 'PARTUUID=id-b\n',
    },
  ]) {
    const { guard } = await machine(t, files);
    assert.match((await guard('show')).wrote, /^on trial: /, JSON.stringify(files));
  }
});

test('outside a trial, or where that is not certain, it never reboots but starts the client again', async (t) => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ['confirmed', { ...grub, 'boot/ota-slot_b/status': 'SUCCESS' }, /status is SUCCESS/],
    ['fallen back: this is the old slot', swapped(), /status is FAILURE/],
    ['no status at all', {}, /no status directory/],
    ['another machine', { ...grub, 'boot/ota-slot_b/device': 'PARTUUID=id-c\n' }, /no status directory/],
    ['equal file systems', { ...grub, 'boot/ota-slot_b/device': 'UUID=fs-2\n' }, /no status directory/],
    ['written by an older client', without(grub, 'device'), /no status directory/],
    [
      'another slot is meant',
      { ...grub, 'boot/ota-slot_b/slot_in_use': 'ota-slot_a' },
      /slot_in_use is ota-slot_a/,
    ],
    [
      'the daemon gave up rebooting',
      { ...grub, 'boot/ota-slot_b/trial': '{"endings":4}' },
      /do not lead back/,
    ],
  ];
  for (const [name, files, why] of cases) {
    const { guard } = await machine(t, files);
    const { said, wrote } = await guard('failed');
    assert.match(wrote, why, name);
    assert.doesNotMatch(said, /reboot/, name);
    assert.match(said, /reset-failed ota\.service\nsystemctl --no-block start ota\.service/, name);
  }
});

test('a client that is about to be started again is left alone', async (t) => {
  const { top, guard } = await machine(t, grub);
  await writeFile(join(process.env['PATH']?.split(':')[0] ?? '', 'state'), 'activating\n');
  const { said } = await guard('failed');
  assert.doesNotMatch(said, /reboot|start /);
  await assert.rejects(access(join(top, 'boot/ota-slot_a/trial-failure')));
});

test('a trial that takes too long is ended, but not before the time that the daemon announced', async (t) => {
  const { guard, file } = await machine(t, grub);
  await file('proc/uptime', '899.99 1.00\n');
  assert.doesNotMatch((await guard('limit')).said, /reboot/);
  await file('boot/ota-slot_b/trial', '{"boot_id":"boot-1","decided_by_uptime_s":1200,"endings":0}\n');
  await file('proc/uptime', '1100.00 1.00\n');
  assert.doesNotMatch((await guard('limit')).said, /reboot/);
  await file('proc/uptime', '1200.00 1.00\n');
  assert.match((await guard('limit')).said, /--force reboot/);
});

test('what the daemon announced in another boot does not count', async (t) => {
  const trial = '{"boot_id":"boot-0","decided_by_uptime_s":99999,"endings":0}\n';
  const { guard } = await machine(t, { ...grub, 'boot/ota-slot_b/trial': trial });
  assert.match((await guard('limit')).said, /--force reboot/);
});

test('the clock of trials stops where there is none', async (t) => {
  const { guard } = await machine(t, { ...grub, 'boot/ota-slot_b/status': 'SUCCESS' });
  assert.equal((await guard('limit')).said, 'systemctl stop ota-trial.timer\n');
});

test('emergency mode ends a trial, and nothing else', async (t) => {
  const onTrial = await machine(t, grub);
  assert.match((await onTrial.guard('emergency')).said, /--force reboot/);
  const note = await readGuardNote(new SlotArchive(join(onTrial.top, 'boot/ota-slot_a')));
  assert.equal(note?.cause, 'emergency_mode');
  const confirmed = await machine(t, { ...grub, 'boot/ota-slot_b/status': 'SUCCESS' });
  assert.equal((await confirmed.guard('emergency')).said, '');
});

test('a boot loader that always starts the same release does not make it reboot for ever', async (t) => {
  const { guard } = await machine(t, grub);
  for (let time = 1; time <= 3; time++) assert.match((await guard('failed')).said, /--force reboot/);
  const { said, wrote, exitCode } = await guard('failed');
  assert.doesNotMatch(said, /reboot/);
  assert.match(wrote, /look at the boot loader/);
  assert.equal(exitCode, 1);
});

test('a status directory that cannot be written to does not keep it from rebooting', async (t) => {
  const { guard, file } = await machine(t, grub);
  await file('boot/ota-slot_a/trial-failure/in-the-way', '');
  assert.match((await guard('failed')).said, /--force reboot/);
});

function swapped(): Record<string, string> {
  return {
    ...grub,
    'boot/ota-slot_a/device': 'PARTUUID=id-b\n',
    'boot/ota-slot_b/device': 'PARTUUID=id-a\n',
  };
}

function without(files: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith(`/${name}`)));
}
