import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** An empty directory that is gone after the test. */
export async function scratchDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ota-test-'));
  t.after(async () => {
    if (process.geteuid?.() !== 0) await unlock(directory);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Lets an ordinary user remove a tree with directories that nobody may write to. Names may be any bytes. */
export async function unlock(directory: string | Buffer): Promise<void> {
  await chmod(directory, 0o755);
  for (const item of await readdir(directory, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([Buffer.from(directory as string), Buffer.from('/'), item.name]);
    if (item.isDirectory()) await unlock(path);
  }
}
