import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';

/** A file of a package: its path below the package, and whether npm made it executable. */
export interface PackageFile {
  readonly path: string;
  readonly executable: boolean;
}

/** A published package, as npm has installed it. */
export interface InstalledPackage {
  /** Path below `node_modules`; differs from the name where a second version lies below another package. */
  readonly place: string;
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  /** Commands that it brings: name -> path below the package. */
  readonly commands: ReadonlyMap<string, string>;
  /** Sorted by path; packages that lie inside it are not part of it. */
  readonly files: readonly PackageFile[];
}

interface Lockfile {
  readonly packages?: Record<string, { readonly version?: string; readonly bin?: Record<string, string> }>;
}

/** The packages that `npm ci` has installed, sorted by place. Errors: DemoError not_installed. */
export function installedPackages(project: string): InstalledPackage[] {
  const modules = join(project, 'node_modules');
  const listed = readLockfile(join(modules, '.package-lock.json')).packages ?? {};
  return Object.entries(listed)
    .map(([key, { version = '', bin = {} }]) => {
      const place = key.replace(/^node_modules\//, '');
      const name = place.split('node_modules/').at(-1) ?? place;
      return {
        place,
        name,
        version,
        directory: join(modules, place),
        commands: new Map(Object.entries(bin)),
      };
    })
    .filter(({ directory }) => existsSync(directory))
    .map((found) => ({ ...found, files: filesBelow(found.directory, '') }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1));
}

function readLockfile(file: string): Lockfile {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Lockfile;
  } catch (cause) {
    throw new DemoError('not_installed', 'the packages of this project are not installed; run `npm ci`', {
      cause,
    });
  }
}

function filesBelow(directory: string, below: string): PackageFile[] {
  return readdirSync(join(directory, below), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((item) => {
      const path = below === '' ? item.name : `${below}/${item.name}`;
      if (item.isDirectory()) return path === 'node_modules' ? [] : filesBelow(directory, path);
      if (!item.isFile()) return [];
      return [{ path, executable: (statSync(join(directory, path)).mode & 0o100) !== 0 }];
    });
}
