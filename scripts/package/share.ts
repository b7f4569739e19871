import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { everyCommand } from '#cli/catalogue.ts';
import { completionScript } from '#cli/completion.ts';
import { manualPage } from './manual.ts';

/**
 * Makes what shells and readers of manuals look for below a `share` directory, in their own places, and answers its path.
 * The manual bears the day of `date`.
 */
export async function writeShare(root: string, directory: string, date: Date): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const commands = await everyCommand();
  const day = date.toISOString().slice(0, 10);
  const files: readonly (readonly [string, string])[] = [
    ['man/man1/ota.1', manualPage(commands, version, day)],
    ['bash-completion/completions/ota', await completionScript('bash', commands)],
    ['zsh/vendor-completions/_ota', await completionScript('zsh', commands)],
    ['fish/vendor_completions.d/ota.fish', await completionScript('fish', commands)],
  ];
  await rm(directory, { recursive: true, force: true });
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}
