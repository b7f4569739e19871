import { chmod, chown, lstat, mkdir, rm } from 'node:fs/promises';
import { runCommand } from '#host/command.ts';
import { entryAt } from '#host/entry-at.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { BootError } from './boot-error.ts';

const copyTimeoutMs = 10 * 60 * 1000;

/** A tree to copy from and one to copy to; both paths of "/" of a slot. */
export interface CarryBetween {
  readonly activeRoot: string;
  readonly root: string;
}

/**
 * Copies files and directories of the running release over those of a new one, with owner, mode, times and extended
 * attributes. What the image has besides stays; what the running release does not have is passed over.
 * Errors: BootError `switch_failed`, which names the path.
 */
export async function carryPaths(
  paths: readonly string[],
  { activeRoot, root }: CarryBetween,
  signal: AbortSignal,
): Promise<void> {
  for (const path of paths) {
    try {
      const from = await resolveInRoot(activeRoot, path, false);
      if (!(await exists(from))) continue;
      const to = await resolveInRoot(root, path, false);
      await makeParents(activeRoot, root, to);
      await copyOver(from, to, signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      throw new BootError('switch_failed', `${path} could not be carried to the new release: ${why}`, {
        cause: error,
      });
    }
  }
}

/** Bytes on disk of what `carryPaths` would copy. */
export async function carriedBytes(
  paths: readonly string[],
  activeRoot: string,
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  for (const path of paths) {
    const from = await resolveInRoot(activeRoot, path, false);
    if (!(await exists(from))) continue;
    const { exitCode, stdout } = await runCommand(
      { argv: ['du', '-s', '-k', from], timeoutMs: copyTimeoutMs },
      signal,
    );
    if (exitCode === 0) bytes += (Number.parseInt(stdout, 10) || 0) * 1024;
  }
  return bytes;
}

async function copyOver(from: string, to: string, signal: AbortSignal): Promise<void> {
  const first = await copy(from, to, signal);
  if (first === undefined) return;
  // A directory of one where the other has none, somewhere below: then the running release's tree replaces the image's.
  await rm(to, { recursive: true, force: true });
  const second = await copy(from, to, signal);
  if (second !== undefined) throw new Error(second);
}

/** What went wrong, in the tool's words; undefined when nothing did. Never writes through a name that exists. */
async function copy(from: string, to: string, signal: AbortSignal): Promise<string | undefined> {
  const argv = ['cp', '-a', '--reflink=auto', '--remove-destination', '-T', '--', from, to] as const;
  const { exitCode, stderr } = await runCommand(
    { argv, timeoutMs: copyTimeoutMs, env: { LC_ALL: 'C' } },
    signal,
  );
  return exitCode === 0 ? undefined : stderr.trim().split('\n')[0];
}

/** Missing directories above `to` get the owner and mode that they have in the running release. */
async function makeParents(activeRoot: string, root: string, to: string): Promise<void> {
  const names = to.slice(root.length + 1).split('/');
  for (let depth = 1; depth < names.length; depth++) {
    const path = names.slice(0, depth).join('/');
    const there = await entryAt(`${root}/${path}`);
    if (there?.isDirectory()) continue;
    if (there !== undefined) await rm(`${root}/${path}`);
    await mkdir(`${root}/${path}`, { mode: 0o755 });
    const model = await resolveInRoot(activeRoot, path);
    if (!(await exists(model))) continue;
    const { uid, gid, mode } = await lstat(model);
    await chown(`${root}/${path}`, uid, gid);
    await chmod(`${root}/${path}`, mode & 0o7777);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await entryAt(path)) !== undefined;
}
