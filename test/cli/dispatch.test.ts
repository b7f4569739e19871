import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue } from '#cli/catalogue.ts';
import { projectRoot, runOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const entries = catalogue.flatMap((group) => group.entries);

test('ota without a command shows help on stderr and ends with 2; --help shows it on stdout', async (t) => {
  const bare = await runOta(t, []);
  assert.deepEqual([bare.code, bare.stdout], [2, '']);
  const help = await runOta(t, ['--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.equal(help.stdout, bare.stderr);
  for (const entry of entries)
    assert.ok(help.stdout.includes(`  ${entry.name}`) && help.stdout.includes(entry.summary));
});

test('every command answers --help, and its name and summary are those of the list', async (t) => {
  assert.equal(new Set(entries.map(({ name }) => name)).size, entries.length, 'each is listed once');
  for (const entry of entries) {
    const command = await entry.load();
    assert.deepEqual([command.name, command.summary], [entry.name, entry.summary]);
    assert.match(command.usage, new RegExp(`^Usage: ota ${entry.name} `));
    assert.match(command.usage, /\n {2}-h, --help {2}/);
    assert.match(command.usage, /Exit codes: 0 /);
    for (const line of command.usage.split('\n')) assert.ok(line.length <= 128, `${entry.name}: ${line}`);
  }
  const { code, stdout } = await runOta(t, ['help', 'status']);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: ota status /);
});

test('a group of commands lists its members', async (t) => {
  const bare = await runOta(t, ['image']);
  assert.deepEqual([bare.code, bare.stdout], [2, '']);
  const help = await runOta(t, ['image', '--help']);
  assert.equal(help.code, 0);
  assert.equal(help.stdout, bare.stderr);
  for (const { name } of entries.filter((entry) => entry.name.startsWith('image '))) {
    assert.ok(help.stdout.includes(`  ${name} `), name);
  }
  assert.equal((await runOta(t, ['config', 'check', '--help'])).code, 0);
});

test('an unknown command is refused with a suggestion', async (t) => {
  const expected: [string[], RegExp][] = [
    [['stauts'], /^ota: unknown command "stauts"\. Did you mean "status"\?\nTry: ota --help\n$/],
    [['config', 'chek'], /unknown command "config chek"\. Did you mean "config check"\?/],
    [['imgae', 'build'], /unknown command "imgae"\. Did you mean "image"\?/],
    [['frobnicate'], /^ota: unknown command "frobnicate"\.\nTry/],
    [['--verbose'], /unknown command "--verbose"/],
  ];
  for (const [args, pattern] of expected) {
    const { code, stdout, stderr } = await runOta(t, args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, pattern);
  }
});

test('--version is the version of the package', async (t) => {
  const { version }: { version: string } = JSON.parse(
    await readFile(join(projectRoot, 'package.json'), 'utf8'),
  );
  assert.deepEqual(await runOta(t, ['--version']), { code: 0, stdout: `ota ${version}\n`, stderr: '' });
});

test('the launcher works through links, from any directory, with an empty environment', async (t) => {
  const elsewhere = await scratchDirectory(t);
  await symlink(join(projectRoot, 'scripts/ota'), join(elsewhere, 'absolute'));
  await symlink('absolute', join(elsewhere, 'relative'));
  for (const program of [join(elsewhere, 'relative'), './relative', join(projectRoot, 'scripts/ota')]) {
    const env = { PATH: '/usr/bin:/bin' };
    const { status, stdout, stderr } = spawnSync(program, ['--version'], {
      cwd: elsewhere,
      env,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^ota \d/);
  }
});

test('docs/cli.md shows the help as it is', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(projectRoot, 'scripts/cli-docs.ts'), '--check'],
    {
      cwd: projectRoot,
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stderr);
});
