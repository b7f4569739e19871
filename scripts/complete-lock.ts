import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// `node scripts/complete-lock.ts [--check]`, after `npm install` changed the lock file.
//
// npm leaves out of the lock file what its registry does not offer, such as the builds of a tool for other platforms; but
// `npm ci` refuses a lock file that lacks an optional dependency, even one that it would not install. This adds those
// entries: name, version and platform, which is all that is needed to pass over them. With --check it only tells.

interface LockedPackage {
  readonly version?: string;
  readonly license?: string | undefined;
  readonly dev?: boolean | undefined;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const systems = ['android', 'darwin', 'freebsd', 'openharmony', 'win32', 'linux'];
const processors = ['arm64', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'arm'];

const file = join(import.meta.dirname, '../package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> };
const added: string[] = [];
for (const [path, { optionalDependencies = {}, license, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (path === '' || lock.packages[`node_modules/${name}`] !== undefined) continue;
    const os = systems.find((system) => name.includes(system));
    const cpu = processors.find((processor) => name.includes(processor));
    if (os === undefined || cpu === undefined) throw new Error(`${name}: not a package for one platform`);
    const libc = name.includes('musl') ? ['musl'] : name.includes('gnu') ? ['glibc'] : undefined;
    const entry = {
      version: version.replace(/^[\^~=]/, ''),
      cpu: [cpu],
      dev,
      libc,
      license,
      optional: true,
      os: [os],
    };
    lock.packages[`node_modules/${name}`] = entry;
    added.push(name);
  }
}
if (added.length > 0 && process.argv.includes('--check')) {
  console.error(`package-lock.json lacks ${added.join(', ')}: run node scripts/complete-lock.ts`);
  process.exitCode = 1;
} else if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`added ${added.length} packages of other platforms`);
}
