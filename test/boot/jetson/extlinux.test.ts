import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { installExtlinux, withRoot } from '#boot/jetson/extlinux.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

test('every command line gets the root once, whatever it had before', () => {
  const text =
    'LABEL a\n\tAPPEND quiet root=/dev/sda1 xroot=keep root=LABEL=x rw\nLABEL b\n  append console=tty0\n';
  assert.equal(
    withRoot(text, 'PARTUUID=p'),
    'LABEL a\n\tAPPEND quiet root=PARTUUID=p xroot=keep rw\nLABEL b\n  append console=tty0 root=PARTUUID=p\n',
  );
});

test('a release without extlinux.conf gets that of the running release', async (t) => {
  const [root, activeRoot] = [await scratchDirectory(t), await scratchDirectory(t)];
  await mkdir(join(root, 'boot'));
  await assert.rejects(installExtlinux(root, activeRoot, 'p'), /neither the release nor the running one/);
  await mkdir(join(activeRoot, 'boot/extlinux'), { recursive: true });
  await writeFile(join(activeRoot, 'boot/extlinux/extlinux.conf'), 'LABEL a\nAPPEND root=PARTUUID=old\n');
  await installExtlinux(root, activeRoot, 'p');
  assert.equal(
    await readFile(join(root, 'boot/extlinux/extlinux.conf'), 'utf8'),
    'LABEL a\nAPPEND root=PARTUUID=p\n',
  );
});

test('what could not be booted is refused by name', async (t) => {
  const [root, outside] = [await scratchDirectory(t), await scratchDirectory(t)];
  const conf = join(root, 'boot/extlinux/extlinux.conf');
  await mkdir(join(root, 'boot/extlinux'), { recursive: true });
  await writeFile(conf, 'LABEL a\n');
  await assert.rejects(installExtlinux(root, outside, 'p'), /has no APPEND line/);
  await writeFile(conf, 'DEFAULT b\nLABEL a\nLINUX /x\nLABEL b\nLINUX /boot/Image\nAPPEND quiet\n');
  await assert.rejects(
    installExtlinux(root, outside, 'p'),
    /boots \/boot\/Image, which the release does not have/,
  );
  await assert.rejects(installExtlinux(root, outside, ''), /has no PARTUUID/);
});

test('a link in the image does not lead out of the slot', async (t) => {
  const [root, outside] = [await scratchDirectory(t), await scratchDirectory(t)];
  await mkdir(join(root, 'boot'));
  await writeFile(join(outside, 'extlinux.conf'), 'LABEL a\nAPPEND root=PARTUUID=old\n');
  await symlink(outside, join(root, 'boot/extlinux'));
  await assert.rejects(
    installExtlinux(root, outside, 'p'),
    /\/boot\/extlinux of the release is not a directory/,
  );
  assert.match(await readFile(join(outside, 'extlinux.conf'), 'utf8'), /PARTUUID=old/);
});
