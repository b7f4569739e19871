import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildDashboard } from './dashboard/build.ts';
import { type Architecture, architectures, packageContents } from './package/contents.ts';
import { fetchNode } from './package/node-binary.ts';
import { writeProgram } from './package/program.ts';
import { sha256OfFile, sourceDate } from './package/reproducible.ts';
import { writeShare } from './package/share.ts';
import { writeSquashfs } from './package/squashfs.ts';
import { writeTarball } from './package/tarball.ts';

// `npm run package`: what is installed on a vehicle, for every architecture: a tarball, and a squashfs for systemd's
// RootImage=. The same commit gives the same bytes wherever it is built; the date in them is the commit's.
// --arch x64|arm64 (both), --output DIRECTORY (.cache/package), --no-squashfs

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [...architectures] },
    output: { type: 'string', default: join(root, '.cache/package') },
    squashfs: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const output = values.output;
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
const date = await sourceDate(root);
await mkdir(output, { recursive: true });
await buildDashboard(root);
const program = join(root, `.cache/program.${process.pid}`);
try {
  await writeProgram(root, program);
  for (const name of values.arch) {
    const arch = architectures.find((known) => known === name);
    if (arch === undefined) throw new Error(`--arch ${name}: write one of ${architectures.join(', ')}`);
    for (const file of await pack(arch)) {
      const { size } = await stat(file);
      process.stdout.write(`${await sha256OfFile(file)}  ${(size / 1e6).toFixed(1)} MB  ${file}\n`);
    }
  }
} finally {
  await rm(program, { recursive: true, force: true });
}

async function pack(arch: Architecture): Promise<string[]> {
  const base = `ota-${version}-linux-${arch}`;
  const node = await fetchNode(root, arch, join(root, '.cache/node'));
  const share = await writeShare(root, join(root, '.cache/share'), date);
  const contents = await packageContents(root, { node, program, share });
  const tarball = join(output, `${base}.tar.gz`);
  await writeTarball(tarball, base, contents, date);
  if (!values.squashfs) return [tarball];
  const squashfs = join(output, `${base}.squashfs`);
  await rm(squashfs, { force: true });
  await writeSquashfs(squashfs, contents, date);
  return [tarball, squashfs];
}
