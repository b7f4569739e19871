import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, open, readdir, readFile, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { missingPrograms } from '../support/missing-programs.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

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
    const env = { PATH: '/usr/bin:/bin', HOME: directory };
    const { stdout } = await run(join(installed, 'bin/ota'), ['--version'], { env, cwd: directory });
    assert.equal(stdout.trim(), `ota ${version}`);
    // Every module of the daemon is there: it gets as far as its configuration.
    const help = await run(join(installed, 'bin/ota'), ['serve', '--help'], { env, cwd: directory });
    assert.match(help.stdout, /serve/);
    const loads = `await import(${JSON.stringify(join(installed, 'src/app/daemon.ts'))}); console.log('loaded')`;
    const daemon = await run(join(installed, 'bin/node'), ['--input-type=module', '-e', loads], { env });
    assert.equal(daemon.stdout.trim(), 'loaded');
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
