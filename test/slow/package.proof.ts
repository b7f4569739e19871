import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, cp, mkdir, open, readdir, readFile, rename, rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { DaemonProcess, rebootExitCode } from '../support/daemon-process.ts';
import { missingPrograms } from '../support/missing-programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

/** Another checkout with other times in another directory. */
async function checkoutOf(original: string, checkout: string): Promise<string> {
  await mkdir(checkout, { recursive: true });
  for (const name of await readdir(original)) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    await cp(join(original, name), join(checkout, name), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'));
  await utimes(join(checkout, 'src/main.ts'), 1, 1);
  return checkout;
}

async function packed(checkout: string, output: string, arch: string): Promise<Record<string, string>> {
  const script = join(checkout, 'scripts/package.ts');
  await run(process.execPath, [script, '--arch', arch, '--output', output], {
    cwd: checkout,
    env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' },
  });
  const digests: Record<string, string> = {};
  for (const name of await readdir(output)) {
    digests[name] = createHash('sha256')
      .update(await readFile(join(output, name)))
      .digest('hex');
  }
  return digests;
}

/** One whole update by the daemon of the package, seen by the engine of this checkout. */
async function updateWith(t: TestContext, program: readonly [string, string]): Promise<void> {
  const world = await UpdateWorld.create(t);
  const { directory, tree } = world;
  const old = {
    'etc/kept': Buffer.from('kept'),
    'etc/twin': Buffer.from('kept'),
    'etc/gone': Buffer.from('gone'),
  };
  await makeTree(tree.activeRoot, old);
  await world.publish({ ...old, 'etc/gone': Buffer.from('new'), 'usr/large': randomBytes(3_000_000) });
  const daemon = await DaemonProcess.create(t, { directory });
  const life = { program, env: { NODE_PATH: '', NODE_OPTIONS: '' } };
  daemon.start(life);
  await daemon.untilLogged(/"msg":"listening"/);
  const [answer] = await daemon.update({ version: '2', url: world.server.origin.href });
  assert.equal(answer?.result, 'NO_FAILURE', answer?.message ?? '');
  assert.equal(await daemon.exitCode(), rebootExitCode);
  daemon.start(life);
  await daemon.until('SUCCESS', '2');
  await daemon.end('SIGTERM');
  await rename(tree.root, join(directory, 'installed'));
  await rm(tree.activeRoot, { recursive: true });
  await rename(join(directory, 'installed'), tree.activeRoot);
  const { image, meter } = await world.update();
  assert.equal(meter.snapshot().download.files, 0);
  assert.deepEqual(await world.differences(image), []);
}

const skip = missingPrograms('mksquashfs', 'npm');

describe('the package', { skip }, () => {
  it('is the same bit for bit wherever it is built, and runs with nothing but itself', async (t) => {
    const directory = await scratchDirectory(t);
    const original = await checkoutOf(root, join(directory, 'original'));
    const other = await checkoutOf(original, join(directory, 'elsewhere/other'));
    const here = await packed(original, join(directory, 'here'), 'x64');
    const there = await packed(other, join(directory, 'there'), 'x64');
    const base = `ota-${version}-linux-x64`;
    assert.deepEqual(Object.keys(here).toSorted(), [`${base}.squashfs`, `${base}.tar.gz`]);
    assert.deepEqual(here, there);

    if (process.arch !== 'x64') return;
    const installed = join(directory, 'opt');
    await mkdir(installed);
    await run('tar', [
      '-xzf',
      join(directory, 'here', `${base}.tar.gz`),
      '-C',
      installed,
      '--strip-components=1',
    ]);
    // What is shipped is shipped with its licence, also where that is called a document.
    await access(join(installed, 'node_modules/real-require/LICENSE.md'));
    await assert.rejects(access(join(installed, 'node_modules/real-require/README.md')), { code: 'ENOENT' });
    const env = { PATH: '/usr/bin:/bin', HOME: directory };
    const { stdout } = await run(join(installed, 'bin/ota'), ['--version'], { env, cwd: directory });
    assert.equal(stdout.trim(), `ota ${version}`);
    // Each module of the daemon is there, also of what it loads late.
    const program = [join(installed, 'bin/node'), join(installed, 'dist/run/main.js')] as const;
    await run(program[0], [program[1], '--compile'], { env });
    await run(program[0], [join(installed, 'src/main.ts'), '--compile'], { env });
    await updateWith(t, program);
  });

  it('holds a Node for the architecture that it is for', async (t) => {
    const directory = await scratchDirectory(t);
    await packed(root, join(directory, 'arm'), 'arm64');
    const archive = join(directory, 'arm', `ota-${version}-linux-arm64.tar.gz`);
    await run('tar', ['-xzf', archive, '-C', directory, '--strip-components=1']);
    const file = await open(join(directory, 'bin/node'));
    const header = Buffer.alloc(20);
    await file.read(header, 0, 20, 0);
    await file.close();
    // e_machine of ELF: 183 is AArch64.
    assert.equal(header.readUInt16LE(18), 183);
  });
});
