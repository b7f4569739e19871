import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CommandError } from '#host/command.ts';
import type { BootPartition } from '#host/settled-file.ts';
import { removeSettled, replaceSettled, settle, thaw } from '#host/settled-file.ts';
import { grubDisk, noGrubDisk } from '../support/grub-disk.ts';
import { programsOnPath } from '../support/programs.ts';

const never = new AbortController().signal;

describe('files that a boot loader reads', { skip: noGrubDisk() }, () => {
  it('are, on the disk, all of the old or all of the new content at every moment that it is settled', async (t) => {
    const disk = await grubDisk(t);
    const partition: BootPartition = { mountPoint: disk.boot, type: 'ext4' };
    const path = join(disk.boot, 'grub/file');
    const content = (round: number): string => `${round}`.repeat(3000);
    await writeFile(path, content(0));
    await settle(partition, never);
    const freeze = disk.run('sh', '-c', 'command -v fsfreeze').trim();
    // Looks at the disk before and after each time.
    const seen = await programsOnPath(t, {
      fsfreeze: `n=$(ls | grep -c ^seen)
        [ "$1" = --freeze ] && ${disk.onDiskCommand('/grub/file')} >seen-$n-before 2>/dev/null
        ${freeze} "$@"; rc=$?
        [ "$1" = --freeze ] && ${disk.onDiskCommand('/grub/file')} >seen-$n-after 2>/dev/null
        exit $rc`,
    });
    for (let round = 1; round <= 4; round += 1) {
      await replaceSettled(partition, path, content(round), never);
      assert.equal(disk.onDisk('/grub/file'), content(round));
    }
    await removeSettled(partition, path, never);
    const names = (await readdir(seen)).filter((name) => name.startsWith('seen'));
    assert.ok(names.length >= 16, `looked ${names.length} times`);
    for (const name of names.filter((one) => !one.startsWith('seen-16'))) {
      const text = await readFile(join(seen, name), 'utf8');
      assert.ok(
        [0, 1, 2, 3, 4].some((round) => text === content(round)),
        `${name} is a mixture of ${text.length} characters: ${text.slice(0, 40)}`,
      );
    }
    assert.deepEqual(await readdir(join(disk.boot, 'grub')), []);
  });

  it('stay as they were when the file system cannot be settled, which is not left frozen', async (t) => {
    const disk = await grubDisk(t);
    const partition: BootPartition = { mountPoint: disk.boot, type: 'ext4' };
    const path = join(disk.boot, 'grub/file');
    await writeFile(path, 'old');
    const freeze = disk.run('sh', '-c', 'command -v fsfreeze').trim();
    const directory = await programsOnPath(t, {
      // Freezes, and then dies before it can tell.
      fsfreeze: `${freeze} "$@"; [ "$1" = --freeze ] && { echo x >frozen; kill -9 $PPID; exit 1; }; exit 0`,
    });
    await assert.rejects(
      replaceSettled(partition, path, 'new', never),
      (error) => error instanceof CommandError && error.code === 'failed',
    );
    assert.ok((await stat(join(directory, 'frozen'))).isFile());
    assert.equal(await readFile(path, 'utf8'), 'old');
    await mkdir(join(disk.boot, 'not-frozen'));
    await thaw(partition);
  });
});
