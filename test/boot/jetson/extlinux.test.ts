import assert from 'node:assert/strict';
import { mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
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

test('line ends of Windows, an empty command line and doubled lines are taken as a boot loader takes them', () => {
  assert.equal(
    withRoot('LABEL a\r\n\tAPPEND quiet root=/dev/sda1\r\nLABEL b\r\n\tappend\r\n', 'PARTUUID=p'),
    'LABEL a\r\n\tAPPEND quiet root=PARTUUID=p\r\nLABEL b\r\n\tappend root=PARTUUID=p\r\n',
  );
  assert.equal(
    withRoot('LABEL a\n\n  APPEND one\n  APPEND two\n', 'PARTUUID=p'),
    'LABEL a\n\n  APPEND one root=PARTUUID=p\n  APPEND two root=PARTUUID=p\n',
  );
  assert.throws(() => withRoot('LABEL a\n# APPEND x\nAPPENDIX y\n', 'PARTUUID=p'), /has no APPEND line/);
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

test('an entry that is booted without a command line, or with files that are empty or lead nowhere, is refused', async (t) => {
  const [root, outside] = [await scratchDirectory(t), await scratchDirectory(t)];
  const conf = join(root, 'boot/extlinux/extlinux.conf');
  await mkdir(join(root, 'boot/extlinux'), { recursive: true });
  await writeFile(conf, 'DEFAULT b\r\nLABEL a\r\nAPPEND quiet\r\nLABEL b\r\nLINUX /boot/Image\r\n');
  await assert.rejects(
    installExtlinux(root, outside, 'p'),
    /boots by its entry b, which has no APPEND line, so that no root can be named/,
  );
  await writeFile(conf, 'LABEL b\nLINUX /boot/Image\nAPPEND quiet\n');
  await writeFile(join(outside, 'Image'), 'kernel');
  await symlink(join(outside, 'Image'), join(root, 'boot/Image'));
  await assert.rejects(installExtlinux(root, outside, 'p'), /boots \/boot\/Image, which the release/);
  await symlink('Image-6', join(root, 'boot/Image-5'));
  await writeFile(join(root, 'boot/Image-6'), '');
  await writeFile(conf, 'LABEL b\nLINUX ../../boot/Image-5\nAPPEND quiet\n');
  await assert.rejects(installExtlinux(root, outside, 'p'), /Image-5, which the release/);
  await writeFile(join(root, 'boot/Image-6'), 'kernel');
  await installExtlinux(root, outside, 'p');
});

test('a configuration that is a link is followed inside the slot only', async (t) => {
  const [root, activeRoot] = [await scratchDirectory(t), await scratchDirectory(t)];
  for (const [place, name] of [
    [root, 'new'],
    [activeRoot, 'running'],
  ] as const) {
    await mkdir(join(place, 'boot/extlinux'), { recursive: true });
    await mkdir(join(place, 'etc'));
    await writeFile(join(place, 'etc/extlinux.conf'), `LABEL ${name}\nAPPEND quiet\n`);
  }
  await symlink('/etc/extlinux.conf', join(root, 'boot/extlinux/extlinux.conf'));
  await installExtlinux(root, activeRoot, 'p');
  assert.equal(
    await readFile(join(root, 'etc/extlinux.conf'), 'utf8'),
    'LABEL new\nAPPEND quiet root=PARTUUID=p\n',
  );
  assert.equal(await readlink(join(root, 'boot/extlinux/extlinux.conf')), '/etc/extlinux.conf');
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
