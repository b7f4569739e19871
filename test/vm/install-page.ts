import { cp, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from './tools.ts';

const page = join(import.meta.dirname, '../../docs/operations.md');

/**
 * The commands of the page "Install" of docs/operations.md, in their order, as they are written there: those for a directory,
 * or those for an image. They are run in the directory that holds the package.
 */
export async function installCommands(kind: 'directory' | 'image'): Promise<string> {
  const text = await readFile(page, 'utf8');
  const section = /\n## Install\n(.*?)(?=\n## )/s.exec(text)?.[1] ?? '';
  const language = kind === 'directory' ? 'sh' : 'sh image';
  const fences = [...section.matchAll(/```(sh[^\n]*)\n(.*?)```/gs)];
  const blocks = fences.flatMap(([, name, commands = '']) => (name === language ? [commands] : []));
  if (blocks.length === 0)
    throw new Error(`docs/operations.md has no commands for ${kind} under "## Install"`);
  return blocks.join('');
}

/** Follows the page in a tree, as whoever makes an image does. */
export async function installPackage(root: string, tarball: string): Promise<void> {
  const copy = join(root, 'root', basename(tarball));
  await cp(tarball, copy);
  await run('chroot', [root, 'sh', '-euc', `cd /root\n${await installCommands('directory')}`]);
  await rm(copy);
}
