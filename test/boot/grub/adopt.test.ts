import assert from 'node:assert/strict';
import { readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { BootLoader } from '#boot/boot-loader.ts';
import { grub } from '#boot/grub/grub.ts';
import { parseGrubenv } from '#boot/grub/grubenv.ts';
import { isOwnMenu, parseMenu } from '#boot/grub/menu.ts';
import type { SlotId } from '#boot/slots.ts';
import { StatusFiles } from '#boot/status-files.ts';
import type { GrubDisk } from '../../support/grub-disk.ts';
import { grubDisk, noGrubDisk } from '../../support/grub-disk.ts';
import {
  distributionDisk,
  filesBelow,
  partitionFoldersDisk,
  slotFoldersDisk,
} from '../../support/grub-layouts.ts';
import { loaderSetting } from '../../support/loader-setting.ts';
import { programsOnPath } from '../../support/programs.ts';

function open(disk: GrubDisk, role: 'daemon' | 'reader' = 'daemon'): Promise<BootLoader> {
  return grub.open(loaderSetting(disk.root), role);
}

async function variables(disk: GrubDisk): Promise<Readonly<Record<string, string>>> {
  const read = parseGrubenv(await readFile(join(disk.boot, 'grub/grubenv')));
  assert.ok(read !== undefined, 'grubenv is damaged');
  return Object.fromEntries(read);
}

/** What the entry of a slot boots: contents of kernel and initrds, and its words. */
async function booted(disk: GrubDisk, slot: SlotId): Promise<{ files: string[]; words: readonly string[] }> {
  const [entry] = parseMenu(await readFile(join(disk.boot, `grub/ota-${slot}.cfg`), 'utf8'));
  assert.ok(entry !== undefined, `${slot} has no entry`);
  const files = [entry.kernel, ...entry.initrds].map((path) => readFile(join(disk.boot, path), 'utf8'));
  return { files: await Promise.all(files), words: entry.arguments };
}

async function said(disk: GrubDisk, slot: SlotId): Promise<readonly (string | undefined)[]> {
  const files = new StatusFiles(join(disk.boot, `ota-${slot}`));
  return [await files.status(), await files.version(), await files.slotInUse()];
}

const menuPath = (disk: GrubDisk): string => join(disk.boot, 'grub/grub.cfg');

const updatedToB = {
  slot_a: { status: 'FAILURE', version: '1', slotInUse: 'ota-slot_b' },
  slot_b: { status: 'SUCCESS', version: '2', slotInUse: 'ota-slot_b' },
};
const triedB = {
  slot_a: { status: 'FAILURE', version: '1', slotInUse: 'ota-slot_b' },
  slot_b: { status: 'UPDATING', version: '2', slotInUse: 'ota-slot_b' },
};
const oldUpdatedToB = {
  slot_a: { status: 'FAILURE', version: '1', slotInUse: 'sda3' },
  slot_b: { status: 'SUCCESS', version: '2', slotInUse: 'sda3' },
};
const oldTriedB = { ...oldUpdatedToB, slot_b: { ...oldUpdatedToB.slot_b, status: 'UPDATING' } };

describe('a disk of a distribution', { skip: noGrubDisk() }, () => {
  it('is booted by our menu after the first start, with what it was booted with', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const { reason = '' } = (await grub.detect(loaderSetting(disk.root))) ?? {};
    assert.ok(reason.startsWith(`${menuPath(disk)} exists, and `), reason);
    assert.ok(reason.includes(disk.partition('slot_b')), reason);
    const loader = await open(disk);
    assert.equal(loader.booted, 'slot_a');
    assert.equal(loader.devices.slot_b.path, disk.partition('slot_b'));
    const menu = await readFile(menuPath(disk), 'utf8');
    assert.ok(isOwnMenu(menu));
    assert.match(menu, /^serial --unit=0 --speed=115200\nterminal_input serial console$/m);
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_a' });
    assert.deepEqual(await booted(disk, 'slot_a'), {
      files: ['kernel 6.1.0-10-amd64', 'initrd 6.1.0-10-amd64'],
      words: [`root=UUID=${disk.uuid('slot_a')}`, 'ro', 'quiet', 'panic=10'],
    });
  });

  it('is found by partition numbers behind an EFI system partition too', async (t) => {
    const disk = await grubDisk(t, { table: 'gpt' });
    await distributionDisk(disk);
    const loader = await open(disk);
    assert.deepEqual(
      [loader.booted, loader.devices.slot_a.partition, loader.devices.slot_b.partition],
      ['slot_a', 3, 4],
    );
  });

  it('follows the kernel that runs, not the newest one', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const uuid = disk.uuid('slot_a');
    disk.run('mkdir', '-p', join(disk.root, 'proc/sys/kernel'));
    await writeFile(join(disk.root, 'proc/sys/kernel/osrelease'), '6.1.0-9-amd64\n');
    await writeFile(
      join(disk.root, 'proc/cmdline'),
      `BOOT_IMAGE=(hd0,msdos1)/vmlinuz-6.1.0-9-amd64 root=UUID=${uuid} ro running=1\n`,
    );
    await open(disk);
    assert.deepEqual(await booted(disk, 'slot_a'), {
      files: ['kernel 6.1.0-9-amd64', 'initrd 6.1.0-9-amd64'],
      words: [`root=UUID=${uuid}`, 'ro', 'running=1', 'panic=10'],
    });
  });

  it('is not written to by a reader, nor by a second start', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const before = await filesBelow(disk.boot);
    await open(disk, 'reader');
    assert.deepEqual(await filesBelow(disk.boot), before);
    await open(disk);
    const inodes = async (): Promise<number[]> =>
      Promise.all(
        ['grub/grub.cfg', 'grub/grubenv', 'grub/ota-slot_a.cfg', 'grub/ota-default.cfg'].map(
          async (name) => (await stat(join(disk.boot, name))).ino,
        ),
      );
    const first = await inodes();
    await open(disk);
    assert.deepEqual(await inodes(), first);
  });

  it('gets a new entry for a slot that was installed anew, where the boot partition was not', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const path = join(disk.boot, 'grub/ota-slot_a.cfg');
    await open(disk);
    const entry = await readFile(path, 'utf8');
    await writeFile(path, entry.replaceAll(disk.uuid('slot_a'), '01234567-89ab-cdef-0123-456789abcdef'));
    await open(disk);
    assert.equal(await readFile(path, 'utf8'), entry);
  });

  it('is taken over again when grub-mkconfig has run, and keeps its choice', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const stock = await readFile(menuPath(disk));
    await (await open(disk)).tryOnce('slot_a');
    await writeFile(menuPath(disk), stock);
    await open(disk);
    assert.ok(isOwnMenu(await readFile(menuPath(disk), 'utf8')));
    assert.equal((await variables(disk))['next_entry'], 'ota-slot_a');
  });
});

describe('a disk of an existing client', { skip: noGrubDisk() }, () => {
  it('with slot folders is taken over with status, menu entries and choice', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await slotFoldersDisk(disk, 'slot_b', updatedToB, {
      saved_entry: 'ota-slot_b',
      next_entry: '',
      kept: 'yes',
    });
    const entries = await Promise.all([booted(disk, 'slot_a'), booted(disk, 'slot_b')]);
    await open(disk);
    assert.ok(isOwnMenu(await readFile(menuPath(disk), 'utf8')));
    assert.deepEqual(await Promise.all([booted(disk, 'slot_a'), booted(disk, 'slot_b')]), entries);
    assert.deepEqual(await variables(disk), { saved_entry: 'ota-slot_b', next_entry: '', kept: 'yes' });
    assert.deepEqual(await said(disk, 'slot_a'), ['FAILURE', '1', 'ota-slot_b']);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
  });

  it('with slot folders, at the first start of a release that it installed, keeps the old one as the default', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await slotFoldersDisk(disk, 'slot_b', triedB, { saved_entry: 'ota-slot_a', next_entry: '' });
    await open(disk);
    assert.equal((await variables(disk))['saved_entry'], 'ota-slot_a');
    assert.deepEqual(await said(disk, 'slot_b'), ['UPDATING', '2', 'ota-slot_b']);
  });

  it('is found by its folders, and gets a menu, where GRUB lost its own and the environment block', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await slotFoldersDisk(disk, 'slot_b', updatedToB, { saved_entry: 'ota-slot_b' });
    for (const name of ['grub.cfg', 'grubenv', 'ota-slot_b.cfg']) {
      await unlink(join(disk.boot, 'grub', name));
    }
    assert.match((await grub.detect(loaderSetting(disk.root)))?.reason ?? '', /boot\/ota-slot_[ab] exists/);
    await open(disk);
    assert.ok(isOwnMenu(await readFile(menuPath(disk), 'utf8')));
    assert.equal((await variables(disk))['saved_entry'], 'ota-slot_b');
    assert.deepEqual((await booted(disk, 'slot_b')).files, [
      'kernel 5.15.0-2-generic',
      'initrd 5.15.0-2-generic',
    ]);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
  });

  it('with partition folders is taken over with status, version and both kernels; its files stay', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await partitionFoldersDisk(disk, { booted: 'slot_b', standard: 'slot_b' }, oldUpdatedToB);
    const before = await filesBelow(disk.boot);
    await open(disk);
    const after = await filesBelow(disk.boot);
    for (const [name, text] of Object.entries(before)) {
      if (name !== 'grub/grubenv') assert.equal(after[name], text, name);
    }
    assert.ok(isOwnMenu(await readFile(menuPath(disk), 'utf8')));
    assert.deepEqual(await variables(disk), { next_entry: '', recordfail: '1', saved_entry: 'ota-slot_b' });
    assert.deepEqual(await booted(disk, 'slot_b'), {
      files: ['kernel 5.4.0-2-generic', 'initrd 5.4.0-2-generic'],
      words: [`root=UUID=${disk.uuid('slot_b')}`, 'ro', 'console=tty0', 'old=1', 'panic=10'],
    });
    assert.deepEqual((await booted(disk, 'slot_a')).files, [
      'kernel 5.4.0-1-generic',
      'initrd 5.4.0-1-generic',
    ]);
    assert.deepEqual(await said(disk, 'slot_a'), ['FAILURE', '1', 'ota-slot_b']);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
  });

  it('with partition folders, at the first start of a release that it installed, keeps the old one as the default', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b', table: 'dos' });
    await partitionFoldersDisk(disk, { booted: 'slot_b', standard: 'slot_a' }, oldTriedB);
    await open(disk);
    assert.equal((await variables(disk))['saved_entry'], 'ota-slot_a');
    assert.deepEqual((await booted(disk, 'slot_a')).files, [
      'kernel 5.4.0-1-generic',
      'initrd 5.4.0-1-generic',
    ]);
    assert.deepEqual((await booted(disk, 'slot_b')).files, [
      'kernel 5.4.0-2-generic',
      'initrd 5.4.0-2-generic',
    ]);
    assert.deepEqual(await said(disk, 'slot_b'), ['UPDATING', '2', 'ota-slot_b']);
  });

  it('with partition folders is taken over where grub-mkconfig has replaced its menu', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await partitionFoldersDisk(disk, { booted: 'slot_b', standard: 'slot_b' }, oldUpdatedToB);
    const menu = await readFile(menuPath(disk), 'utf8');
    await unlink(menuPath(disk));
    await writeFile(menuPath(disk), menu);
    await open(disk);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
    assert.deepEqual((await booted(disk, 'slot_a')).files, [
      'kernel 5.4.0-1-generic',
      'initrd 5.4.0-1-generic',
    ]);
    // From now on the new files decide.
    await new StatusFiles(join(disk.boot, 'ota-slot_b')).setStatus('FAILURE');
    await writeFile(menuPath(disk), menu);
    await open(disk);
    assert.deepEqual(await said(disk, 'slot_b'), ['FAILURE', '2', 'ota-slot_b']);
  });

  it('boots by the old menu until ours is whole, wherever taking it over is cut off', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await partitionFoldersDisk(disk, { booted: 'slot_b', standard: 'slot_b' }, oldUpdatedToB);
    const old = await readFile(menuPath(disk), 'utf8');
    // Ends the daemon's work at the nth time that it settles the boot partition.
    const counter = await programsOnPath(t, {
      fsfreeze: '[ "$1" = --unfreeze ] || { echo x >>count; [ "$(wc -l <count)" -lt "$(cat limit)" ]; }',
    });
    let limit = 1;
    for (; limit < 40; limit += 1) {
      await writeFile(join(counter, 'count'), '');
      await writeFile(join(counter, 'limit'), String(limit));
      const done = await open(disk).then(
        () => true,
        () => false,
      );
      const menu = await readFile(menuPath(disk), 'utf8');
      if (done) break;
      if (menu === old) continue;
      assert.ok(isOwnMenu(menu), `neither the old menu nor ours after ${limit} steps`);
      assert.deepEqual((await booted(disk, 'slot_b')).files, [
        'kernel 5.4.0-2-generic',
        'initrd 5.4.0-2-generic',
      ]);
      assert.equal((await variables(disk))['saved_entry'], 'ota-slot_b');
    }
    assert.ok(limit > 2 && limit < 40, `taken over after ${limit} steps`);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
    const names = Object.keys(await filesBelow(disk.boot));
    assert.deepEqual(
      names.filter((name) => name.includes('.ota-tmp-')),
      [],
    );
  });

  it('gets its running slot back into the menu when the entry is lost', async (t) => {
    const disk = await grubDisk(t, { booted: 'slot_b' });
    await slotFoldersDisk(disk, 'slot_b', updatedToB, { saved_entry: 'ota-slot_b' });
    await unlink(join(disk.boot, 'grub/ota-slot_b.cfg'));
    await open(disk);
    const { files, words } = await booted(disk, 'slot_b');
    assert.deepEqual(files, ['kernel 5.15.0-2-generic', 'initrd 5.15.0-2-generic']);
    assert.equal(words[0], `root=UUID=${disk.uuid('slot_b')}`);
    assert.deepEqual(await said(disk, 'slot_b'), ['SUCCESS', '2', 'ota-slot_b']);
  });
});
