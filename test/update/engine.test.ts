import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { OtaFailure } from '#domain/failure.ts';
import { makeTree, type TreeSpec, UpdateWorld } from '../support/update-world.ts';

const noise = (bytes: number): Buffer => randomBytes(bytes);
const prose = (bytes: number): Buffer => Buffer.alloc(bytes, 'an image is a tree of files. ');

/** Old and new release with everything that a file system tree can hold. */
function releases(): { readonly old: TreeSpec; readonly next: TreeSpec } {
  const big = noise(3 * 1024 * 1024 + 7);
  const shared = noise(5000);
  const old: TreeSpec = {
    'usr/bin/tool': { content: shared, mode: 0o755 },
    'usr/lib/big.so': big,
    'etc/moved.conf': 'moved and kept',
    'etc/same-size': 'old content!',
    'var/gone': 'not in the new release',
    'a/b/c/d/e': 'deep',
  };
  const next: TreeSpec = {
    'usr/bin/tool': { content: shared, mode: 0o4755 },
    'usr/bin/alias': { link: 'usr/bin/tool' },
    'usr/bin/alias2': { link: 'usr/bin/tool' },
    'usr/lib/big.so': big,
    'usr/lib/big-copy.so': big,
    'usr/lib/new-plain.bin': noise(2 * 1024 * 1024 + 1),
    'usr/lib/new-compressed.txt': prose(3 * 1024 * 1024),
    'opt/moved.conf': 'moved and kept',
    'etc/same-size': 'new content!',
    'etc/small-new': 'tiny',
    'etc/small-new-twin': 'tiny',
    'etc/compressed': prose(40_000),
    'etc/empty': '',
    'etc/empty too': '',
    'etc/it\'s, "odd" ünï \'name': 'quotes',
    'etc/link': { symlink: '../usr/bin/tool' },
    'etc/dangling': { symlink: '/no/such/thing' },
    tmp: { directory: 0o1777 },
    'srv/closed': { directory: 0o700 },
    'srv/readonly/file': 'x',
    'srv/readonly': { directory: 0o555 },
    'etc/private': { content: 'secret', mode: 0o600 },
    'etc/open': { content: 'open', mode: 0o666 },
    'a/b/c/d/e': 'deep',
  };
  return { old, next };
}

describe('update engine', () => {
  it('builds a slot that is identical to the image, and counts every file once', async (t) => {
    const world = await UpdateWorld.create(t);
    const { old, next } = releases();
    await makeTree(world.tree.activeRoot, old);
    await world.publish(next);
    const { image, meter } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    const { copy, link, download, totalFiles, totalBytes, ...rest } = meter.snapshot();
    assert.equal(copy.files + link.files + download.files, totalFiles);
    assert.equal(copy.bytes + link.bytes + download.bytes, totalBytes);
    assert.equal(link.files, 2);
    // new-plain, new-compressed, same-size, small-new, compressed, the odd name, readonly/file, private, open.
    assert.equal(download.files, 9);
    assert.equal(rest.filesToDownload, 9);
    assert.equal(rest.downloadErrors, 0);
    await assert.rejects(lstat(world.tree.work), { code: 'ENOENT' });
  });

  it('keeps equal contents apart that the image does not hard-link', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({ one: 'same', two: 'same', three: { link: 'one' } });
    await world.update();
    const inode = async (name: string): Promise<number> => (await lstat(join(world.tree.root, name))).ino;
    assert.notEqual(await inode('one'), await inode('two'));
    assert.equal(await inode('one'), await inode('three'));
  });

  it('downloads nothing when the active slot has all contents, wherever they lie', async (t) => {
    const world = await UpdateWorld.create(t);
    const { next } = releases();
    await makeTree(world.tree.activeRoot, next);
    await rename(join(world.tree.activeRoot, 'usr'), join(world.tree.activeRoot, 'elsewhere'));
    await rename(join(world.tree.activeRoot, 'etc'), join(world.tree.activeRoot, 'elsewhere/deeper'));
    await world.publish(next);
    const { image, meter } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    assert.equal(meter.snapshot().download.files, 0);
  });

  it('downloads nothing again that the standby slot holds, and mends what is wrong in it', async (t) => {
    const world = await UpdateWorld.create(t);
    const { next } = releases();
    await world.publish(next);
    await world.update();
    const { root } = world.tree;
    await writeFile(join(root, 'stranger'), 'does not belong here');
    await mkdir(join(root, 'strange/dir'), { recursive: true });
    await symlink('/etc/passwd', join(root, 'strange/link'));
    await rename(join(root, 'usr/lib/big.so'), join(root, 'strange/dir/big.so'));
    await writeFile(join(root, 'etc/small-new'), 'TINY');
    await chmod(join(root, 'etc/open'), 0o600);
    await chmod(join(root, 'usr'), 0o700);
    const { image, meter } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    const { download, copy, link, totalFiles, filesRemoved } = meter.snapshot();
    assert.equal(download.files, 0);
    assert.equal(copy.files + link.files, totalFiles);
    assert.equal(filesRemoved, 5);
  });

  it('replaces a file by a directory, a directory by a file, and either by a symlink', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({
      one: 'file',
      'two/inside': 'file below',
      three: { symlink: 'one' },
      'four/x': '4',
    });
    await world.update();
    await world.publish({
      'one/inside': 'file below',
      two: 'file',
      'three/x': '3',
      four: { symlink: 'two' },
    });
    const { image } = await world.update();
    assert.deepEqual(await world.differences(image), []);
  });

  it('asks again for content that does not match its digest, and counts the failure', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({ small: 'right content', large: noise(1024 * 1024 * 2) });
    const damaged = new Set<string>();
    world.intercept = (path, _request, response) => {
      if (!path.startsWith('/rootfs') || damaged.has(path)) return false;
      damaged.add(path);
      response.end(path.endsWith('small') ? 'wrong content' : noise(1024 * 1024 * 2));
      return true;
    };
    const { image, meter } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    assert.equal(meter.snapshot().downloadErrors, 2);
  });

  it('gives up with image_invalid when content never matches, and leaves no wrong file behind', async (t) => {
    const world = await UpdateWorld.create(t);
    await world.publish({ good: 'good', bad: 'right content' });
    world.intercept = (path, _request, response) => {
      if (path !== '/rootfs/bad') return false;
      response.end('wrong content');
      return true;
    };
    await assert.rejects(world.update(), (error: OtaFailure) => {
      assert.equal(error.code, 'image_invalid');
      assert.match(error.reason, /^E203: .*\/bad/);
      return true;
    });
    await assert.rejects(readFile(join(world.tree.root, 'bad')), { code: 'ENOENT' });
  });

  for (const [status, code] of [
    [401, 'cookies_rejected'],
    [403, 'cookies_rejected'],
    [404, 'image_invalid'],
    [500, 'network'],
  ] as const) {
    it(`ends with ${code} when the server answers ${status} for a file`, async (t) => {
      const world = await UpdateWorld.create(t);
      await world.publish({ file: 'content' });
      world.intercept = (path, _request, response) => {
        if (path !== '/rootfs/file') return false;
        response.writeHead(status).end();
        return true;
      };
      await assert.rejects(world.update({ cookies: { key: 'a-secret' } }), (error: OtaFailure) => {
        assert.equal(error.code, code);
        assert.doesNotMatch(`${error.reason}${String(error.cause)}`, /a-secret/);
        return true;
      });
    });
  }

  it('stops at once when it is aborted, and goes on later without downloading again', async (t) => {
    const world = await UpdateWorld.create(t);
    const spec: Record<string, Buffer> = {};
    for (let i = 0; i < 200; i++) spec[`files/${i}`] = noise(20_000);
    await world.publish(spec);
    const abort = new AbortController();
    let served = 0;
    world.intercept = (path) => {
      if (path.startsWith('/rootfs') && ++served === 100) abort.abort(new Error('stop'));
      return false;
    };
    const started = performance.now();
    await assert.rejects(world.update({ signal: abort.signal }), /stop/);
    assert.ok(performance.now() - started < 5000);
    const first = world.sent;
    const { image } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    assert.ok(world.sent >= 200 * 20_000);
    // All contents once, and at most what was under way on eight connections twice.
    assert.ok(world.sent < 200 * 20_400 + 8 * 20_400 + 60_000, `sent ${first} + ${world.sent - first}`);
  });
});
