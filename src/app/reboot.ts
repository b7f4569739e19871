import { access } from 'node:fs/promises';
import type { Reboot } from '#boot/open-slots.ts';
import type { DaemonOptions } from '#config/options.ts';
import type { Log } from '#domain/log.ts';
import { CommandError, runCommand } from '#host/command.ts';
import { systemctlEnvironment } from '#host/systemctl.ts';

/** A reboot command starts the reboot and returns; the daemon goes on answering Status until it is ended. */
const commandTimeoutMs = 60_000;

/**
 * How this ECU reboots: by the configured command; without one the machine by its service manager or `reboot`, and the
 * daemon by `end`: it ends and its supervisor starts it again. Errors of the reboot: CommandError.
 */
export function createReboot({ command }: DaemonOptions['reboot'], log: Log, end: () => void): Reboot {
  return async (target, args) => {
    const [program, ...rest] = command ?? (target === 'machine' ? await machineReboot(args) : []);
    if (program === undefined) {
      log.info({}, 'rebooting: the daemon ends and is to be started again');
      end();
      return;
    }
    log.info({ command: program, args: rest }, 'rebooting by command');
    const { exitCode, signal, stderr } = await runCommand(
      { argv: [program, ...rest], env: systemctlEnvironment, timeoutMs: commandTimeoutMs },
      new AbortController().signal,
    );
    if (exitCode === 0) return;
    const how = exitCode === undefined ? `by ${signal}` : `with exit code ${exitCode}`;
    throw new CommandError('failed', `${program} ended ${how}`, stderr);
  };
}

/** `systemctl` is there where `reboot` may be missing, but older ones take no argument for the firmware. */
async function machineReboot(args: readonly string[]): Promise<readonly string[]> {
  const hasSystemd = await access('/run/systemd/system').then(
    () => true,
    () => false,
  );
  return hasSystemd && args.length === 0 ? ['systemctl', 'reboot'] : ['reboot', ...args];
}
