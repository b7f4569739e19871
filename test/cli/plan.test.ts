import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOta } from '../support/run-ota.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

const release = {
  kept: 'kept',
  'other/place': 'moved',
  fresh: 'fresh',
  linked: { link: 'fresh' },
  'to-fresh': { symlink: 'fresh' },
} as const;

async function publishedWorld(t: Parameters<typeof UpdateWorld.create>[0]): Promise<UpdateWorld> {
  const world = await UpdateWorld.create(t);
  await makeTree(world.tree.activeRoot, { kept: 'kept', moved: 'moved' });
  await world.publish(release, ['/etc/hostname']);
  return world;
}

function directories({ tree, directory }: UpdateWorld): string[] {
  return ['--active', tree.activeRoot, '--standby', tree.root, '--trust', join(directory, 'trust')];
}

test('plan tells what would be copied, linked and downloaded, and writes nothing', async (t) => {
  const world = await publishedWorld(t);
  const before = await readdir(world.directory, { recursive: true });
  const { code, stdout, stderr } = await runOta(t, [
    'plan',
    '--url',
    world.server.origin.href,
    ...directories(world),
  ]);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const [title, ...lines] = stdout.trimEnd().split('\n');
  assert.match(title ?? '', /^ +FILES +SIZE$/);
  assert.deepEqual(
    lines.slice(0, 4).map((line) => line.split(/ {2,}/).slice(0, 3)),
    [
      ['copy', '2', '9 B'],
      ['link', '1', '5 B'],
      ['download', '1', '5 B'],
      ['total', '4', '19 B'],
    ],
  );
  assert.match(
    stdout,
    /\nimage [0-9a-f]{64}\n1 directories, 1 symbolic links\ncarried over: \/etc\/hostname\n/,
  );
  assert.match(stdout, /needs .* in the standby slot.*: fits\n$/);
  assert.deepEqual(await readdir(world.directory, { recursive: true }), before);
});

test('--json is one object, and with --files one for each file', async (t) => {
  const world = await publishedWorld(t);
  const args = ['plan', '--json', '--files', '--url', world.server.origin.href, ...directories(world)];
  const { code, stdout } = await runOta(t, args);
  assert.equal(code, 0);
  const [plan, ...files] = stdout
    .trimEnd()
    .split('\n')
    .map((line): { readonly [key: string]: unknown } => JSON.parse(line));
  assert.ok(plan !== undefined);
  assert.deepEqual(Object.keys(plan), [
    'type',
    'url',
    'image_digest',
    'directories',
    'symlinks',
    'total',
    'copy',
    'link',
    'download',
    'persistents',
    'needed_bytes',
    'available_bytes',
    'needed_inodes',
    'available_inodes',
    'fits',
  ]);
  assert.deepEqual(plan['download'], { files: 1, bytes: 5 });
  assert.equal(plan['fits'], true);
  const sources = Object.fromEntries(files.map(({ path, source }) => [path, source]));
  assert.deepEqual(sources, {
    '/kept': 'copy',
    '/other/place': 'copy',
    '/fresh': 'download',
    '/linked': 'link',
  });
  assert.ok(files.every(({ type }) => type === 'file'));
});

test('plan refuses what an update would refuse, with the same code', async (t) => {
  const world = await publishedWorld(t);
  const url = world.server.origin.href;
  const missing = await runOta(t, ['plan', '--url', `${url}nowhere/`, ...directories(world)]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^ota plan: E203: /);
  const [active, standby] = [world.tree.activeRoot, world.tree.root];
  const args = ['plan', '--url', url, '--active', active, '--standby', standby, '--trust', active];
  const untrusted = await runOta(t, args);
  assert.equal(untrusted.code, 1);
  assert.match(untrusted.stderr, /^ota plan: E309: /);
});

test('plan knows the slots of a configured ECU, once its daemon has run', async (t) => {
  const world = await publishedWorld(t);
  const { directory } = world;
  const file = (name: string): string => join(directory, name);
  await writeFile(file('ecu_info.yml'), 'ecu_id: main\nbootloader: directory\n');
  await writeFile(
    file('ota.yml'),
    `trust: { directory: ${directory}/trust }\nboot: { directory: { path: ${directory}/slots } }\n`,
  );
  const args = [
    'plan',
    '--url',
    world.server.origin.href,
    '--ecu-info',
    file('ecu_info.yml'),
    '--options',
    file('ota.yml'),
  ];
  const early = await runOta(t, args);
  assert.equal(early.code, 1);
  assert.match(early.stderr, /boot\.json does not exist: no daemon was started on it yet/);
  await writeFile(file('slots/boot.json'), '{"format":1,"default":"slot_a","once":null,"booted":"slot_a"}\n');
  const { code, stdout, stderr } = await runOta(t, args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^copy +2 /m);
});

test('a wrong call of plan is told, with 2', async (t) => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await runOta(t, ['plan', ...args]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.match(await wrong(), /--url is missing/);
  assert.match(
    await wrong('--url', 'ftp://h/', '--active', '/', '--standby', '/b', '--trust', '/t'),
    /neither http/,
  );
  assert.match(
    await wrong('--url', 'http://h/', '--active', '/'),
    /--active, --standby and --trust belong together/,
  );
  assert.match(await wrong('--url', 'http://h/', '--ecu-info', '/nowhere.yml'), /\/nowhere\.yml/);
});
