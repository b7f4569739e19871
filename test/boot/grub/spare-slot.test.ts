import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { grub } from '#boot/grub/grub.ts';
import { grubDisk, noGrubDisk } from '../../support/grub-disk.ts';
import { distributionDisk } from '../../support/grub-layouts.ts';
import { loaderSetting } from '../../support/loader-setting.ts';

describe('a disk that no client has used', { skip: noGrubDisk() }, () => {
  it("is not taken by itself while the other partition may be somebody's data", async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const other = disk.partition('slot_b');
    execFileSync('debugfs', ['-w', '-R', 'mkdir home', other], { stdio: 'ignore' });
    execFileSync('e2fsck', ['-fy', other], { stdio: 'ignore' });
    await assert.rejects(grub.detect(loaderSetting(disk.root)), (error: unknown) => {
      assert.ok(error instanceof BootError && error.message.startsWith(`${other}, in the place of slot_b, `));
      assert.match(error.message, /write `bootloader: grub` if it is a slot, or label it slot_b$/);
      return true;
    });
    execFileSync('e2label', [other, 'slot_b']);
    const { reason = '' } = (await grub.detect(loaderSetting(disk.root))) ?? {};
    assert.match(reason, /is called slot_b$/);
  });

  it('is not taken by itself while the other partition holds something else than a file system', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const other = disk.partition('slot_b');
    const wipe = (): string => disk.run('wipefs', '-q', '-a', other);
    const refused = (what: RegExp): Promise<void> =>
      assert.rejects(grub.detect(loaderSetting(disk.root)), (error: unknown) => {
        assert.ok(
          error instanceof BootError && error.message.startsWith(`${other}, in the place of slot_b, `),
        );
        assert.match(error.message, what);
        return true;
      });
    wipe();
    disk.run('mkswap', '-q', other);
    await refused(/holds no file system but swap, and would be formatted; .*wipefs -a \/dev\/\w+/);
    wipe();
    // The header of encrypted data, as cryptsetup writes it.
    const luks = Buffer.alloc(1024);
    luks.write('LUKS\xba\xbe\x00\x02', 'latin1');
    luks.write('7d444840-9dc0-11d1-b245-5ffdce74fad2', 168, 'latin1');
    await writeFile(other, luks, { flag: 'r+' });
    await refused(/but crypto_LUKS, and would/);
    await writeFile(other, Buffer.alloc(1024), { flag: 'r+' });
    await writeFile(other, 'records of a database', { flag: 'r+' });
    await refused(/holds data that is no file system, and would be formatted/);
    await writeFile(other, Buffer.alloc(1 << 20), { flag: 'r+' });
    const { reason = '' } = (await grub.detect(loaderSetting(disk.root))) ?? {};
    assert.match(reason, /is empty$/);
  });

  it('is not taken because a name has the letters of a slot in it', async (t) => {
    const disk = await grubDisk(t);
    await distributionDisk(disk);
    const other = disk.partition('slot_b');
    execFileSync('debugfs', ['-w', '-R', 'mkdir home', other], { stdio: 'ignore' });
    execFileSync('e2fsck', ['-fy', other], { stdio: 'ignore' });
    for (const label of ['quota', 'total_b']) {
      execFileSync('e2label', [other, label]);
      await assert.rejects(grub.detect(loaderSetting(disk.root)), /may be somebody's data/, label);
    }
    for (const label of ['ota_b', 'ota-slot_b', 'SLOT-B', 'slotb']) {
      execFileSync('e2label', [other, label]);
      assert.match((await grub.detect(loaderSetting(disk.root)))?.reason ?? '', /is called/, label);
    }
  });
});
