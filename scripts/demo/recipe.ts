import { join } from 'node:path';
import type { InstalledPackage } from './packages.ts';
import { Tree, type TreeEntry } from './tree.ts';

/** The two releases of the demo. */
export const releaseVersions = ['1.0', '2.0'] as const;
export type ReleaseVersion = (typeof releaseVersions)[number];

/** What a vehicle keeps over an update. */
export const persistents = ['/etc/hostname', '/etc/machine-id', '/var/lib/vehicle'] as const;

/** Left out of both: they alone would double the size. */
const leftOut = /^(node-linux-|@biomejs\/cli-)/;
const leftOutFiles = /^bin\/protoc-gen-buf-/;

/** The packages of `--small`. */
const smallSet =
  /^(ignore|yaml|avsc|typescript|.*\/node_modules\/typescript|undici|@grpc\/.*|thread-stream)$/;
const smallMaxBytes = /\.(map|d\.[cm]?ts)$|\/(tsc|tsserver|typescript|tsserverlibrary|typingsInstaller)\.js$/;

/** Only in one of the releases. TypeScript is there in two published versions, 5 and 7, and one takes the other's place. */
const onlyIn: readonly (readonly [RegExp, ReleaseVersion])[] = [
  [/^@bufbuild\/protoplugin\/node_modules\/typescript$/, '1.0'],
  [/^(knip|formatly|unbash|walk-up-path|@types\/tar-stream)$/, '1.0'],
  [/^(typescript|@typescript\/.*)$/, '2.0'],
  [/^(zod|pino|pino-.*|@pinojs\/.*|@connectrpc\/.*|avsc)$/, '2.0'],
];

/** In other directories in 2.0, with the same content. */
const moved = /^(undici|yaml|xstate|ignore)$/;

export interface RecipeOptions {
  /** Hundreds of files instead of thousands: for tests. */
  readonly small: boolean;
}

/**
 * A release as a tree: published packages that npm has installed, in the places of a root file system, and a handful of
 * system files. Has one of everything that is easily got wrong: duplicates, hard links, symlinks, setuid, setgid and
 * sticky bits, other owners, empty files, names with quotes, commas, spaces and letters of other languages.
 */
export function releaseTree(
  version: ReleaseVersion,
  packages: readonly InstalledPackage[],
  { small }: RecipeOptions,
): readonly TreeEntry[] {
  const tree = new Tree();
  addSystem(tree, version);
  for (const found of packages) {
    if (isIn(found.place, version) && (!small || smallSet.test(found.place))) {
      addPackage(tree, found, version, small);
    }
  }
  return tree.entries();
}

function isIn(place: string, version: ReleaseVersion): boolean {
  if (leftOut.test(place)) return false;
  const only = onlyIn.find(([pattern]) => pattern.test(place));
  return only === undefined || only[1] === version;
}

function addPackage(tree: Tree, found: InstalledPackage, version: ReleaseVersion, small: boolean): void {
  // A second version of a package keeps its place below the package that needs it, unless it is the only one here.
  const place = found.place.endsWith('/node_modules/typescript') ? found.name : found.place;
  const library = version === '2.0' && moved.test(found.name) ? '/usr/share/nodejs' : '/usr/lib/node_modules';
  const home = `${library}/${place}`;
  for (const { path, executable } of found.files) {
    if (leftOutFiles.test(path) || (small && smallMaxBytes.test(`/${path}`))) continue;
    tree.file(`${home}/${path}`, { file: join(found.directory, path) }, executable ? 0o755 : 0o644);
    // As distributions do: the papers of all packages in one place, as other names of the same files.
    if (/^(LICENSE|LICENCE|README|CHANGELOG)[^/]*$/i.test(path)) {
      tree.link(`/usr/share/doc/${place.replaceAll('/', '+')}/${path}`, `${home}/${path}`);
    }
  }
  for (const [command, path] of found.commands) {
    tree.symlink(`/usr/bin/${command}`, `../${home.slice('/usr/'.length)}/${path.replace(/^\.\//, '')}`);
  }
}

function addSystem(tree: Tree, version: ReleaseVersion): void {
  const major = version.split('.')[0] ?? version;
  tree.file('/etc/os-release', {
    text: `NAME="Demo vehicle"\nID=demo\nVERSION_ID=${version}\nPRETTY_NAME="Demo vehicle ${version}"\n`,
  });
  tree.file('/etc/passwd', {
    text: 'root:x:0:0:root:/root:/bin/sh\ndriver:x:1000:1000::/home/driver:/bin/sh\n',
  });
  tree.file('/etc/group', { text: 'root:x:0:\nshadow:x:42:\nmail:x:8:\ndriver:x:1000:\n' });
  tree.file('/etc/shadow', { text: 'root:*:::::::\ndriver:*:::::::\n' }, 0o640, { uid: 0, gid: 42 });
  tree.file('/etc/hostname', { text: 'ecu\n' });
  tree.file('/etc/machine-id', { text: '' });
  tree.file('/etc/.updated', { text: '' });
  tree.file('/var/lib/vehicle/.keep', { text: '' });
  tree.directory('/tmp', 0o1777);
  tree.directory('/root', 0o700);
  tree.directory('/var/mail', 0o2775, { uid: 0, gid: 8 });
  tree.directory('/home/driver', 0o750, { uid: 1000, gid: 1000 });
  tree.file('/home/driver/.profile', { text: 'umask 022\n' }, 0o600, { uid: 1000, gid: 1000 });
  const helper = { text: `#!/bin/sh\n# Mount helper of release ${version}.\nexec /bin/mount "$@"\n` };
  tree.file('/usr/bin/mount-helper', helper, 0o4755);
  tree.file('/usr/bin/mail-lock', { text: '#!/bin/sh\nexec /bin/true\n' }, 0o2755, { uid: 0, gid: 8 });
  tree.symlink('/bin', 'usr/bin');
  tree.symlink('/lib', 'usr/lib');
  tree.symlink('/etc/alternatives/editor', '/usr/bin/none-here');
  tree.symlink('/usr/lib/release', `../share/release-${major}`);
  tree.directory(`/usr/share/release-${major}`);
  const maps = '/usr/share/maps';
  const map = (name: string): { readonly text: string } => ({ text: `map of ${name}\n`.repeat(40) });
  tree.file(`${maps}/Straßen, 1:50 000/Übersicht "Nord".txt`, map('the north'));
  tree.file(`${maps}/Straßen, 1:50 000/it's ending in a quote'`, map('the quote'));
  tree.file(`${maps}/地図/東京 🗺.txt`, map('Tokyo'));
  tree.file(`${maps}/地図/copy of 東京, \\ and all.txt`, map('Tokyo'));
  tree.file(`${maps}/100 % #1?.txt`, map(`the percent, release ${version}`));
}
