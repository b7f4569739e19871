import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Machine } from './machine.ts';
import type { ReleaseTree } from './releases.ts';
import { run } from './tools.ts';

/** Where the unit and the command line keep compiled code, below "/". */
const places = ['var/cache/ota', 'root/.cache/ota'];

const compile = `set -eu
systemctl stop ota
export NODE_COMPILE_CACHE=/var/cache/ota/compiled
/opt/ota/bin/node /opt/ota/dist/run/main.js --compile
cp /opt/ota/package.json /var/cache/ota/compiled-for
unset NODE_COMPILE_CACHE
HOME=/root /opt/ota/bin/ota blackbox >/dev/null 2>&1 || true
tar -C / -cz ${places.join(' ')} | base64
`;

/**
 * Compiled code of our package for the processor of the machines, as an archive. It takes an emulated processor a minute to
 * make, at the first start of every release, and none but such a processor can make it.
 */
export async function compiledCode(disk: string): Promise<Buffer> {
  await using machine = await Machine.start(disk, 'bios');
  await machine.untilBoot(1);
  const { exitCode, output } = await machine.agent.run(compile, 900_000);
  if (exitCode !== 0) throw new Error(`the package does not compile in the machine: ${output.slice(-2000)}`);
  return Buffer.from(output, 'base64');
}

/** Lets a release bring its compiled code. */
export async function putCompiledCode(tree: ReleaseTree, archive: Buffer): Promise<void> {
  const file = join(tree.root, 'compiled.tar.gz');
  await writeFile(file, archive);
  await run('tar', ['-C', tree.root, '-xzf', file]);
  await tree.remove('compiled.tar.gz');
}
