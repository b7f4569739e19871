import { CommandError, runCommand } from './command.ts';

/** A slow disk may hold minutes of dirty pages. */
const timeoutMs = 30 * 60 * 1000;

/**
 * Makes everything that was written to the file system of `path` durable (syncfs; Node has no call for it, coreutils'
 * `sync -f` has). A `sync` without `-f`, as busybox may have it, flushes all file systems instead.
 * Errors: CommandError.
 */
export async function syncFilesystem(path: string, signal: AbortSignal): Promise<void> {
  const env = { LC_ALL: 'C' };
  const one = await runCommand({ argv: ['sync', '-f', path], env, timeoutMs }, signal);
  if (one.exitCode === 0) return;
  // Only then: sync(2) itself never tells that something could not be written, or that the path has gone.
  if (!/option|usage/i.test(one.stderr)) throw failed(path, one.stderr);
  const all = await runCommand({ argv: ['sync'], env, timeoutMs }, signal);
  if (all.exitCode !== 0) throw failed(path, `${one.stderr}\n${all.stderr}`);
}

function failed(path: string, output: string): CommandError {
  return new CommandError('failed', `sync of ${path} failed: ${output.trim().split('\n')[0]}`, output);
}
