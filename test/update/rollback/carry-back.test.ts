import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OtaFailure } from '#domain/failure.ts';
import { carryBack, forgetCarryBack, undoCarryBack } from '#update/rollback/carry-back.ts';
import { previewCarryBack } from '#update/rollback/preview.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { makeTree } from '../../support/update-world.ts';

const never = new AbortController().signal;
const program = fileURLToPath(new URL('../../support/carry-once.ts', import.meta.url));
const cutPower = new URL('../../support/cut-power.ts', import.meta.url).href;
const asRoot = process.geteuid?.() === 0;

interface Slots {
  readonly directory: string;
  readonly activeRoot: string;
  readonly root: string;
}

const paths = ['/etc/hostname', '/etc/net', '/var/lib/map/tiles', '/etc/localtime', '/etc/gone'];

/** One that both releases have, and one for which directories have to be made: every cut is a process. */
const fewPaths = ['/etc/net', '/var/lib/map/tiles'];

/** The running release knows more than the old one did. */
async function slots(t: TestContext): Promise<Slots> {
  const directory = await scratchDirectory(t);
  const [activeRoot, root] = [join(directory, 'active'), join(directory, 'old')];
  await mkdir(activeRoot);
  await mkdir(root);
  await makeTree(activeRoot, {
    'etc/hostname': { content: 'renamed', mode: 0o640 },
    'etc/net/new.yaml': 'new',
    'etc/net/same.yaml': 'same',
    'etc/localtime': { symlink: '/usr/share/zoneinfo/Asia/Tokyo' },
    'var/lib/map/tiles': 'a map',
  });
  await makeTree(root, {
    'etc/hostname': 'car-7',
    'etc/net/old.yaml': 'old',
    'etc/net/same.yaml': 'same',
    'etc/localtime': { symlink: '/usr/share/zoneinfo/UTC' },
    'etc/gone': 'only here',
    'usr/bin/app': 'not declared',
  });
  return { directory, activeRoot, root };
}

/** Every name below a directory with what it is. */
async function listing(root: string, at = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(join(root, at))).toSorted()) {
    const path = `${at}/${name}`;
    const stats = await lstat(join(root, path));
    const mode = (stats.mode & 0o7777).toString(8);
    if (stats.isDirectory()) Object.assign(found, { [path]: `directory ${mode}` }, await listing(root, path));
    else if (stats.isSymbolicLink()) found[path] = `-> ${await readlink(join(root, path))}`;
    else found[path] = `${mode} ${await readFile(join(root, path), 'utf8')}`;
  }
  return found;
}

/** One step in a process of its own, killed before a rename or removal. False when it had no such change. */
function cut(args: readonly string[], cutAt: number): Promise<boolean> {
  const env = { ...process.env, CUT_AT: String(cutAt) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', cutPower, program, ...args], { env }, (error) => {
      if (error === null) resolve(false);
      else if (error.signal === 'SIGKILL') resolve(true);
      else reject(error);
    });
  });
}

test('declared files replace those of the old release, and nothing else does', async (t) => {
  const { activeRoot, root } = await slots(t);
  await carryBack({ paths, activeRoot, root });
  await forgetCarryBack(root);
  assert.deepEqual(await listing(root), {
    '/etc': 'directory 755',
    '/etc/gone': '644 only here',
    '/etc/hostname': '640 renamed',
    '/etc/localtime': '-> /usr/share/zoneinfo/Asia/Tokyo',
    '/etc/net': 'directory 755',
    '/etc/net/new.yaml': '644 new',
    '/etc/net/same.yaml': '644 same',
    '/usr': 'directory 755',
    '/usr/bin': 'directory 755',
    '/usr/bin/app': '644 not declared',
    '/var': 'directory 755',
    '/var/lib': 'directory 755',
    '/var/lib/map': 'directory 755',
    '/var/lib/map/tiles': '644 a map',
  });
});

test('a rollback that failed leaves the old release as it was, directories made for it included', async (t) => {
  const { activeRoot, root } = await slots(t);
  const before = await listing(root);
  await carryBack({ paths, activeRoot, root });
  await undoCarryBack(root);
  assert.deepEqual(await listing(root), before);
  await undoCarryBack(root);
  assert.deepEqual(await listing(root), before, 'again it changes nothing');
});

test('what the old release wrote while it was tried is taken back with the rest', async (t) => {
  const { activeRoot, root } = await slots(t);
  const before = await listing(root);
  await carryBack({ paths, activeRoot, root });
  await writeFile(join(root, 'etc/hostname'), 'changed while it ran');
  await rm(join(root, 'etc/net'), { recursive: true });
  await undoCarryBack(root);
  assert.deepEqual(await listing(root), before);
});

test('carrying that is cut off anywhere can be undone, and done again', { timeout: 60_000 }, async (t) => {
  const { directory, activeRoot, root } = await slots(t);
  const before = await listing(root);
  let cuts = 0;
  for (let isCut = true; isCut; cuts++) {
    const copy = join(directory, `cut-${cuts}`);
    await cp(root, copy, { recursive: true, verbatimSymlinks: true });
    isCut = await cut(['carry', copy, activeRoot, ...fewPaths], cuts + 1);
    const again = `${copy}-again`;
    await cp(copy, again, { recursive: true, verbatimSymlinks: true });
    await undoCarryBack(copy);
    assert.deepEqual(await listing(copy), before, `cut before change ${cuts + 1}`);
    await carryBack({ paths: fewPaths, activeRoot, root: again });
    assert.equal((await listing(again))['/etc/net/new.yaml'], '644 new');
    if (!isCut) continue;
    await undoCarryBack(again);
    assert.deepEqual(await listing(again), before, 'what is put back is from before the first attempt');
  }
  assert.ok(cuts > 6, `only ${cuts} changes were cut`);
});

test('an undo that is cut off anywhere is finished by the next', { timeout: 60_000 }, async (t) => {
  const { directory, activeRoot, root } = await slots(t);
  const before = await listing(root);
  await carryBack({ paths: fewPaths, activeRoot, root });
  let cuts = 0;
  for (let isCut = true; isCut; cuts++) {
    const copy = join(directory, `cut-${cuts}`);
    await cp(root, copy, { recursive: true, verbatimSymlinks: true });
    isCut = await cut(['undo', copy], cuts + 1);
    await undoCarryBack(copy);
    assert.deepEqual(await listing(copy), before, `cut before change ${cuts + 1}`);
  }
  assert.ok(cuts > 3, `only ${cuts} changes were cut`);
});

test('a failure on the way names the path and leaves the old release as it was', async (t) => {
  if (asRoot) return t.skip('root may read everything');
  const { activeRoot, root } = await slots(t);
  const before = await listing(root);
  await chmod(join(activeRoot, 'etc/net/new.yaml'), 0);
  await assert.rejects(carryBack({ paths, activeRoot, root }), (error) => {
    assert.ok(error instanceof OtaFailure);
    assert.equal(error.code, 'rollback_failed');
    assert.match(error.message, /could not be carried back: EACCES.*new\.yaml/);
    return true;
  });
  assert.deepEqual(await listing(root), before);
});

test('a slot without room for the copies is named, and left as it was', async (t) => {
  if (!asRoot) return t.skip('only root mounts a small file system');
  const { directory, activeRoot } = await slots(t);
  const root = join(directory, 'small');
  await mkdir(root);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'small', root]);
  try {
    await makeTree(root, { 'etc/hostname': 'car-7', 'var/lib/map/tiles': 'old map' });
    await writeFile(join(activeRoot, 'var/lib/map/tiles'), Buffer.alloc(1 << 20, 7));
    const before = await listing(root);
    await assert.rejects(carryBack({ paths, activeRoot, root }), { code: 'standby_slot_full' });
    assert.deepEqual(await listing(root), before);
  } finally {
    execFileSync('umount', [root]);
  }
});

test('owners are those of the same names in the old release', async (t) => {
  if (!asRoot) return t.skip('only root can set owners');
  const { activeRoot, root } = await slots(t);
  for (const [at, id] of [
    [activeRoot, 1234],
    [root, 4321],
  ] as const) {
    await writeFile(join(at, 'etc/passwd'), `robot:x:${id}:${id}::/:/bin/sh\n`);
    await writeFile(join(at, 'etc/group'), `robot:x:${id}:\n`);
  }
  await chown(join(activeRoot, 'etc/hostname'), 1234, 1234);
  await carryBack({ paths, activeRoot, root });
  const { uid, gid, mode } = await lstat(join(root, 'etc/hostname'));
  assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 4321, gid: 4321, mode: 0o640 });
});

test('paths that lie in one another, or are one place by links, are carried once', async (t) => {
  const { activeRoot, root } = await slots(t);
  await symlink('etc', join(activeRoot, 'config'));
  await symlink('etc', join(root, 'config'));
  const before = await listing(root);
  const twice = ['/etc/net/new.yaml', '/config/net', '/etc/net', '/.ota-rollback/x'];
  await carryBack({ paths: twice, activeRoot, root });
  assert.deepEqual((await readdir(join(root, 'etc/net'))).toSorted(), ['new.yaml', 'same.yaml']);
  await undoCarryBack(root);
  assert.deepEqual(await listing(root), before);
});

test('links of the old release do not lead out of it, and a manifest of somebody else means nothing', async (t) => {
  const { directory, activeRoot, root } = await slots(t);
  const outside = join(directory, 'outside');
  await mkdir(outside);
  await rm(join(root, 'etc/net'), { recursive: true });
  await symlink(outside, join(root, 'etc/net'));
  await carryBack({ paths: ['/etc/net/new.yaml'], activeRoot, root });
  assert.deepEqual(await readdir(outside), []);
  await undoCarryBack(root);
  await mkdir(join(root, '.ota-rollback'));
  const entries = [{ at: '../outside', had: false, parents: [] }];
  await writeFile(
    join(root, '.ota-rollback/manifest.json'),
    JSON.stringify({ format: 1, state: 'applied', entries }),
  );
  await undoCarryBack(root);
  assert.ok((await lstat(outside)).isDirectory());
  assert.ok(!(await readdir(root)).includes('.ota-rollback'));
});

test('a preview tells each file that would be carried back, with its size, and writes nothing', async (t) => {
  const { activeRoot, root } = await slots(t);
  const before = await listing(root);
  assert.deepEqual(await previewCarryBack({ paths, activeRoot, root }, never), [
    { change: 'changed', path: '/etc/hostname', bytes: 7 },
    { change: 'new', path: '/etc/net/new.yaml', bytes: 3 },
    { change: 'removed', path: '/etc/net/old.yaml', bytes: 3 },
    { change: 'new', path: '/var/lib/map/tiles', bytes: 5 },
    { change: 'changed', path: '/etc/localtime', bytes: 0 },
  ]);
  assert.deepEqual(await listing(root), before);
  await carryBack({ paths, activeRoot, root });
  assert.deepEqual(
    await previewCarryBack({ paths, activeRoot, root }, never),
    [],
    'and then there is nothing left',
  );
});

test('a preview sees a file that becomes a directory, and the other way round', async (t) => {
  const directory = await scratchDirectory(t);
  const [activeRoot, root] = [join(directory, 'active'), join(directory, 'old')];
  await mkdir(activeRoot);
  await mkdir(root);
  await makeTree(activeRoot, { 'x/inner': 'in', y: 'file' });
  await makeTree(root, { x: 'file', 'y/inner': 'inner' });
  assert.deepEqual(await previewCarryBack({ paths: ['/x', '/y'], activeRoot, root }, never), [
    { change: 'new', path: '/x/inner', bytes: 2 },
    { change: 'removed', path: '/x', bytes: 4 },
    { change: 'removed', path: '/y/inner', bytes: 5 },
    { change: 'new', path: '/y', bytes: 4 },
  ]);
});

test('a preview and the way back know names that are no UTF-8', async (t) => {
  const { activeRoot, root } = await slots(t);
  const name = Buffer.from('/etc/net/caf\xe9', 'latin1');
  await writeFile(Buffer.concat([Buffer.from(activeRoot), name]), 'kept');
  const declared = { paths: ['/etc/net'], activeRoot, root };
  const change = { change: 'new', path: name.toString(), bytes: 4 };
  assert.deepEqual((await previewCarryBack(declared, never))[0], change);
  await carryBack(declared);
  assert.equal(await readFile(Buffer.concat([Buffer.from(root), name]), 'utf8'), 'kept');
  assert.deepEqual(await previewCarryBack(declared, never), []);
});
