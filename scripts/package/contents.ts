import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const architectures = ['x64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** One file of the package. */
export interface PackagedFile {
  /** Path in the package. */
  readonly path: string;
  /** Path on this machine. */
  readonly source: string;
  readonly executable: boolean;
}

/** What npm's lock file says of one installed package. */
interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** Never read when the daemon or the command line runs: types, sources of maps, binaries for another runtime, documents but licences. */
const unused =
  /\.map$|\/prebuilds\/|\/node_modules\/(?:@types|undici-types)\/|\/node_modules\/.*\.(?:[cm]?ts|flow)$|\/node_modules\/(?:.*\/)?(?!licen[cs]e|notice|copying)[^/]*\.(?:md|markdown)$/i;

/**
 * Everything that runs on a vehicle, in a fixed order: Node, the program, the sources that it was made from, the built page,
 * the production dependencies as the lock file has them, the units, what was made for `share`, and the licence. Errors when what is installed is not what the
 * lock file says.
 */
export async function packageContents(
  root: string,
  { node, program, share }: { readonly node: string; readonly program: string; readonly share: string },
): Promise<readonly PackagedFile[]> {
  const files: PackagedFile[] = [
    { path: 'bin/node', source: node, executable: true },
    { path: 'bin/ota', source: join(root, 'scripts/ota'), executable: true },
  ];
  for (const path of ['package.json', 'LICENSE', 'CHANGELOG.md', 'docs/operations.md', 'docs/cli.md']) {
    files.push({ path, source: join(root, path), executable: false });
  }
  await addTree(files, program, 'dist/run');
  await addTree(files, join(root, 'src'), 'src', (path) => path !== 'src/dashboard/page');
  await addTree(files, join(root, 'dist/dashboard'), 'dist/dashboard');
  await addTree(files, join(root, 'proto'), 'proto');
  await addTree(files, join(root, 'scripts/systemd'), 'systemd');
  await addTree(files, share, 'share');
  for (const path of await productionPackages(root)) await addTree(files, join(root, path), path);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Directories of production dependencies below `root`, checked against the lock file. */
async function productionPackages(root: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const wanted: string[] = [];
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (path === '' || locked.dev === true || locked.devOptional === true) continue;
    if (path.startsWith('node_modules/node-linux-') || path.startsWith('node_modules/@types/')) continue;
    const installed = await readFile(join(root, path, 'package.json'), 'utf8').catch(() => undefined);
    const version =
      installed === undefined ? 'nothing' : (JSON.parse(installed) as { version: string }).version;
    if (version !== locked.version) {
      throw new Error(`${path} is ${version}, the lock file says ${locked.version}: run \`npm ci\` first`);
    }
    wanted.push(path);
  }
  return wanted;
}

/** Regular files below a directory; nested packages have lock entries of their own. */
async function addTree(
  files: PackagedFile[],
  directory: string,
  path: string,
  isWanted: (path: string) => boolean = () => true,
): Promise<void> {
  for (const item of await readdir(directory, { withFileTypes: true })) {
    const here = { path: `${path}/${item.name}`, source: join(directory, item.name) };
    if (item.isDirectory()) {
      if (item.name !== 'node_modules' && isWanted(here.path)) {
        await addTree(files, here.source, here.path, isWanted);
      }
    } else if (item.isFile() && !unused.test(`/${here.path}`)) {
      files.push({ ...here, executable: ((await stat(here.source)).mode & 0o100) !== 0 });
    }
  }
}
