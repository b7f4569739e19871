import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner } from '#image/build/sign.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';
import { compiledCode, putCompiledCode } from './compiled-code.ts';
import { type DebianTree, debianTree } from './debian-tree.ts';
import { type Firmware, writeDisk } from './disk.ts';
import { installPackage } from './install-page.ts';
import { makeInstalled, ReleaseTree, releaseTree, type Trouble, troubledTree, troubles } from './releases.ts';
import { run } from './tools.ts';

const root = join(import.meta.dirname, '../..');
const cache = join(root, '.cache/vm');

/** Files here that decide what disks and images hold. */
const recipes = [
  'fleet.ts',
  'machine.ts',
  'releases.ts',
  'existing-client.ts',
  'agent.ts',
  'disk.ts',
  'install-page.ts',
  'compiled-code.ts',
];

/** Everything that machines start from: disks with release A, and signed images of the releases after it. */
export interface Fleet {
  readonly disks: Readonly<Record<Firmware, string>>;
  /** Below it one image a release, by name. */
  readonly images: string;
  /** Our package as one file. */
  readonly squashfs: string;
  readonly debian: DebianTree;
}

/**
 * Made once and kept for as long as neither the package nor the recipes change; then made again. OTA_VM_FLEET names one
 * below `.cache/vm` to be taken as it is.
 */
export async function openFleet(log: (text: string) => void): Promise<Fleet> {
  await mkdir(cache, { recursive: true });
  const packages = join(cache, 'package');
  const given = process.env['OTA_VM_FLEET'];
  const pack = ['scripts/package.ts', '--arch', 'x64', '--output', packages];
  const [debian] = await Promise.all([
    debianTree(cache),
    given === undefined ? run(process.execPath, pack, 600_000) : undefined,
  ]);
  const inDirectory = (directory: string): Fleet => ({
    disks: { bios: join(directory, 'bios.disk'), efi: join(directory, 'efi.disk') },
    images: join(directory, 'images'),
    squashfs: join(directory, 'ota.squashfs'),
    debian,
  });
  if (given !== undefined) return inDirectory(join(cache, given));
  const [tarball = ''] = (await readdir(packages))
    .filter((name) => name.endsWith('-linux-x64.tar.gz'))
    .toSorted()
    .slice(-1);
  const hash = createHash('sha256').update(debian.root);
  hash.update(await readFile(join(packages, tarball)));
  hash.update(await readFile(join(root, 'docs/operations.md')));
  for (const name of recipes) hash.update(await readFile(join(import.meta.dirname, name)));
  const key = `fleet-${hash.digest('hex').slice(0, 16)}`;
  const directory = join(cache, key);
  const fleet = inDirectory(directory);
  const kept = await readdir(cache);
  if (kept.includes(key)) return fleet;
  for (const name of kept) {
    if (name.startsWith('fleet-')) await rm(join(cache, name), { recursive: true });
  }
  log('building disks and images');
  const scratch = `${directory}.${process.pid}`;
  try {
    await build(scratch, debian, join(packages, tarball), log);
    await cp(join(packages, tarball.replace(/tar\.gz$/, 'squashfs')), join(scratch, 'ota.squashfs'));
    await rename(scratch, directory);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return fleet;
}

/** Makes disks, and images of good releases and of those with the named troubles. */
async function build(
  directory: string,
  debian: DebianTree,
  tarball: string,
  log: (text: string) => void,
  names: readonly Trouble[] = Object.keys(troubles) as Trouble[],
): Promise<void> {
  const [older, newer] = debian.kernels;
  const trees = join(directory, 'trees');
  await mkdir(trees, { recursive: true });
  const keys = await makeKeys({ directory: join(directory, 'keys') });
  const signer = await loadSigner({ certificate: keys.signCertificate, key: keys.signKey });
  const publish = async (name: string, tree: string, compressed: boolean): Promise<void> => {
    const started = performance.now();
    const output = join(directory, 'images', name);
    await mkdir(join(directory, 'images'), { recursive: true });
    const compression = compressed ? { level: 1 } : { enabled: false };
    const ignore = ['/dev/*', '/proc/*', '/sys/*', '/run/*', '/tmp/*', '/var/log/journal'];
    await buildImage({ source: directorySource(tree), output, signer, compression, ignore });
    log(`image ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  };
  const install = async (tree: string): Promise<void> => installPackage(tree, tarball);
  const a = await releaseTree(join(trees, 'a'), 'A2', { debian, kernel: older, install });
  const b = await releaseTree(join(trees, 'b'), 'B', { debian, kernel: newer, install });
  const disk = async (firmware: Firmware, name: string, tree: ReleaseTree): Promise<void> => {
    const boot = join(trees, 'boot');
    const root = join(trees, 'installed');
    await run('cp', ['-al', tree.root, root]);
    const installed = new ReleaseTree(root);
    await installed.put('etc/vehicle-release', 'A\n');
    await makeInstalled(installed, boot, { firmware, kernel: older, certificates: keys.trust });
    await writeDisk(join(directory, name), firmware, { root, boot });
    await rm(root, { recursive: true });
  };
  await disk('bios', 'first.disk', a);
  const compiled = await compiledCode(join(directory, 'first.disk'));
  await rm(join(directory, 'first.disk'));
  log('compiled');
  for (const tree of [a, b]) await putCompiledCode(tree, compiled);
  for (const firmware of ['bios', 'efi'] as const) await disk(firmware, `${firmware}.disk`, a);
  await publish('A2', a.root, true);
  await publish('B', b.root, true);
  for (const trouble of names) {
    const bad = await troubledTree(join(trees, 'bad'), b, trouble);
    await publish(trouble, bad.root, false);
  }
  await rm(trees, { recursive: true });
}
