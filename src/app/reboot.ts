import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { CommandError, runCommand } from '#host/command.ts';

/** A reboot command starts the reboot and returns; the daemon goes on answering Status until it is ended. */
const commandTimeoutMs = 60_000;

/**
 * How this ECU reboots: by the configured command, or, without one, by `end`: the daemon ends and its supervisor starts
 * it again. Errors: CommandError.
 */
export function createReboot(
  { command }: DaemonOptions['reboot'],
  log: Log,
  end: () => void,
): () => Promise<void> {
  return async () => {
    const [program, ...args] = command ?? [];
    if (program === undefined) {
      log.info({}, 'rebooting: the daemon ends and is to be started again');
      end();
      return;
    }
    log.info({ command: program }, 'rebooting by command');
    const { exitCode, signal, stderr } = await runCommand(
      { argv: [program, ...args], timeoutMs: commandTimeoutMs },
      new AbortController().signal,
    );
    if (exitCode === 0) return;
    const how = exitCode === undefined ? `by ${signal}` : `with exit code ${exitCode}`;
    throw new CommandError('failed', `${program} ended ${how}`, stderr);
  };
}
