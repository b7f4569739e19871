import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** What still works in a test's directories, and has to end before they are removed. */
const users = new WeakMap<TestContext, (() => Promise<void>)[]>();

/**
 * Ends with the test, and before its scratch directories are removed: hooks run in the order in which they were set, and
 * one that fails keeps the others from running.
 */
export function endBeforeRemoval(t: TestContext, end: () => Promise<void>): void {
  const ends = users.get(t);
  if (ends === undefined) t.after(end);
  else ends.push(end);
}

/** An empty directory that is gone after the test. */
export async function scratchDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ota-test-'));
  if (!users.has(t)) users.set(t, []);
  t.after(async () => {
    for (const end of users.get(t)?.splice(0) ?? []) await end();
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
