import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { defaultArguments, slotArguments, splitCommandLine } from '#boot/grub/kernel-arguments.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

describe('command line of a slot', () => {
  it('gets the root of the slot, keeps what is not of another slot, and ends with what is added', () => {
    const base = splitCommandLine(
      'BOOT_IMAGE=/vmlinuz-6.1 root=UUID=old ro rootflags=subvol=@ quiet panic=0 console=ttyS0 panic=10',
    );
    assert.deepEqual(slotArguments(base, 'new', 'panic=10'), [
      'root=UUID=new',
      'ro',
      'quiet',
      'panic=0',
      'console=ttyS0',
      'panic=10',
    ]);
    assert.deepEqual(slotArguments(['rw'], 'new', ''), ['root=UUID=new', 'rw']);
    assert.deepEqual(slotArguments([], 'new', ''), ['root=UUID=new', 'ro']);
  });

  it('keeps quoted words together', () => {
    assert.deepEqual(splitCommandLine('a dyndbg="file x +p; file y" "b=c d"'), [
      'a',
      'dyndbg=file x +p; file y',
      'b=c d',
    ]);
  });
});

describe('command line that a release asks for', () => {
  async function tree(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
    const root = await scratchDirectory(t);
    await mkdir(join(root, 'etc/default/grub.d'), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'etc/default', name), text);
    return root;
  }

  it('is read from /etc/default/grub, where the last assignment wins', async (t) => {
    const root = await tree(t, {
      grub: [
        '# GRUB_CMDLINE_LINUX="comment"',
        'GRUB_CMDLINE_LINUX="first"',
        "GRUB_CMDLINE_LINUX_DEFAULT='quiet splash'",
        'GRUB_CMDLINE_LINUX="console=ttyS0,115200 x=\\"1 2\\"" # why',
      ].join('\n'),
    });
    assert.deepEqual(await defaultArguments(root), ['console=ttyS0,115200', 'x=1 2', 'quiet', 'splash']);
  });

  it('is completed by files of grub.d in their order', async (t) => {
    const root = await tree(t, {
      grub: 'GRUB_CMDLINE_LINUX=a',
      'grub.d/20-more.cfg': 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX c"',
      'grub.d/10-more.cfg': 'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} b"',
      'grub.d/30-not.txt': 'GRUB_CMDLINE_LINUX=z',
    });
    assert.deepEqual(await defaultArguments(root), ['a', 'b', 'c']);
  });

  it('is nothing that would need a shell', async (t) => {
    const root = await tree(t, { grub: 'GRUB_CMDLINE_LINUX="$(hostname)"\nGRUB_CMDLINE_LINUX_DEFAULT=`id`' });
    assert.equal(await defaultArguments(root), undefined);
    assert.equal(await defaultArguments(await tree(t, {})), undefined);
    assert.deepEqual(await defaultArguments(await tree(t, { grub: 'GRUB_CMDLINE_LINUX=""' })), []);
  });

  it('is never read through a link out of the tree', async (t) => {
    const root = await tree(t, {});
    const outside = join(await scratchDirectory(t), 'outside');
    await writeFile(outside, 'GRUB_CMDLINE_LINUX=stolen');
    await symlink(outside, join(root, 'etc/default/grub'));
    assert.equal(await defaultArguments(root), undefined);
  });
});
