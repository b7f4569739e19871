import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scratchDirectory } from './scratch-directory.ts';

/** Puts executable scripts first on PATH for the time of one test; returns the directory they run in and write to. */
export async function programsOnPath(
  t: TestContext,
  scripts: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = await scratchDirectory(t);
  for (const [name, body] of Object.entries(scripts)) {
    await writeFile(join(directory, name), `#!/bin/sh\ncd ${directory}\n${body}\n`);
    await chmod(join(directory, name), 0o755);
  }
  const before = process.env['PATH'];
  process.env['PATH'] = `${directory}:${before}`;
  t.after(() => {
    process.env['PATH'] = before;
  });
  return directory;
}
