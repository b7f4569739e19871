import { CommandError, runCommand } from './command.ts';

/** A slow disk may hold minutes of dirty pages. */
const timeoutMs = 30 * 60 * 1000;

/**
 * Makes everything that was written to the file system of `path` durable (syncfs; Node has no call for it, coreutils'
 * `sync -f` has). A `sync` without `-f`, as busybox may have it, flushes all file systems instead.
 * Errors: CommandError.
 */
export async function syncFilesystem(path: string, signal: AbortSignal): Promise<void> {
  const one = await runCommand({ argv: ['sync', '-f', path], timeoutMs }, signal);
  if (one.exitCode === 0) return;
  const all = await runCommand({ argv: ['sync'], timeoutMs }, signal);
  if (all.exitCode !== 0) {
    throw new CommandError('failed', `sync of ${path} failed`, `${one.stderr}\n${all.stderr}`);
  }
}
