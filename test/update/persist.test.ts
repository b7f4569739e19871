import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

const passwd = (ids: Record<string, number>): string =>
  Object.entries(ids)
    .map(([name, id]) => `${name}:x:${id}:${id}::/:/bin/sh\n`)
    .join('');

describe('persistFiles', () => {
  it('carries files, directories and symlinks over, with modes, and leaves the image where the slot has none', async (t) => {
    const world = await UpdateWorld.create(t);
    const { activeRoot, root } = world.tree;
    await makeTree(activeRoot, {
      'etc/hostname': 'car-7',
      'etc/netplan/01.yaml': { content: 'network', mode: 0o600 },
      'etc/localtime': { symlink: '/usr/share/zoneinfo/UTC' },
      'opt/tool': { content: 'x', mode: 0o4755 },
      'var/lib/data/deep/file': 'kept',
    });
    await world.publish(
      { 'etc/hostname': 'default', 'etc/netplan/99.yaml': 'default', 'etc/only-image': 'image', 'etc/x': '' },
      [
        '/etc/hostname',
        '/etc/netplan',
        '/etc/localtime',
        '/opt/tool',
        '/var/lib/data',
        '/etc/only-image',
        '/swapfile',
      ],
    );
    await writeFile(join(activeRoot, 'swapfile'), 'swap');
    const { image } = await world.update();
    assert.equal(await readFile(join(root, 'etc/hostname'), 'utf8'), 'car-7');
    assert.equal((await lstat(join(root, 'etc/netplan/01.yaml'))).mode & 0o7777, 0o600);
    await assert.rejects(lstat(join(root, 'etc/netplan/99.yaml')), { code: 'ENOENT' });
    assert.equal(await readlink(join(root, 'etc/localtime')), '/usr/share/zoneinfo/UTC');
    assert.equal((await lstat(join(root, 'opt/tool'))).mode & 0o7777, 0o4755);
    assert.equal(await readFile(join(root, 'var/lib/data/deep/file'), 'utf8'), 'kept');
    assert.equal(await readFile(join(root, 'etc/only-image'), 'utf8'), 'image');
    await assert.rejects(lstat(join(root, 'swapfile')), { code: 'ENOENT' });
    const allowed = ['/etc/hostname', '/etc/netplan', '/etc/localtime', '/opt', '/var'];
    assert.deepEqual(await world.differences(image, allowed), []);
  });

  it('never follows a symlink of a slot out of it', async (t) => {
    const world = await UpdateWorld.create(t);
    const { activeRoot, root } = world.tree;
    const outside = join(world.directory, 'outside');
    await mkdir(outside);
    await makeTree(activeRoot, { 'var/run/state': 'kept', 'usr/lib/conf': 'kept too' });
    await symlink('usr/lib', join(activeRoot, 'lib'));
    await world.publish({ 'var/run': { symlink: outside }, lib: { symlink: 'usr/lib' }, 'usr/lib/x': 'x' }, [
      '/var/run/state',
      '/lib/conf',
    ]);
    await world.update();
    await assert.rejects(lstat(join(outside, 'state')), { code: 'ENOENT' });
    assert.equal(await readFile(join(root, outside, 'state'), 'utf8'), 'kept');
    assert.equal(await readFile(join(root, 'usr/lib/conf'), 'utf8'), 'kept too');
    assert.ok((await lstat(join(root, 'lib'))).isSymbolicLink());
  });

  it('refuses a release that has a file where a persistent one needs a directory, and names it', async (t) => {
    const world = await UpdateWorld.create(t);
    await makeTree(world.tree.activeRoot, { 'etc/app/key': 'ours' });
    await world.publish({ 'etc/app': 'now a file' }, ['/etc/app/key']);
    await assert.rejects(world.update(), (error) => {
      assert.ok(error instanceof OtaFailure);
      assert.equal(error.code, 'release_unsuitable');
      assert.match(
        error.message,
        /persistent \/etc\/app\/key could not .*: \/etc\/app is no directory in the release/,
      );
      return true;
    });
  });

  it('leaves what the image has in the place of a socket', async (t) => {
    const world = await UpdateWorld.create(t);
    const { activeRoot, root } = world.tree;
    await mkdir(join(activeRoot, 'run'));
    const server = createServer().listen(join(activeRoot, 'run/app'));
    t.after(() => server.close());
    await once(server, 'listening');
    await world.publish({ 'run/app': 'from the image' }, ['/run/app']);
    await world.update();
    assert.equal(await readFile(join(root, 'run/app'), 'utf8'), 'from the image');
  });

  it('translates owners by name', {
    skip: process.geteuid?.() === 0 ? false : 'only root can set owners',
  }, async (t) => {
    const world = await UpdateWorld.create(t);
    const { activeRoot, root } = world.tree;
    await makeTree(activeRoot, {
      'etc/passwd': passwd({ robot: 1234 }),
      'etc/group': passwd({ robot: 1234 }),
      'home/x': 'x',
    });
    const { chown } = await import('node:fs/promises');
    await chown(join(activeRoot, 'home/x'), 1234, 1234);
    await chmod(join(activeRoot, 'home/x'), 0o6755);
    await world.publish({ 'etc/passwd': passwd({ robot: 4321 }), 'etc/group': passwd({ robot: 4000 }) }, [
      '/home/x',
    ]);
    await world.update();
    const { uid, gid, mode } = await lstat(join(root, 'home/x'));
    assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 4321, gid: 4000, mode: 0o6755 });
  });
});
