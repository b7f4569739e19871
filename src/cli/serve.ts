import type { CliIo, Command } from './command.ts';
import { parseCommandLine, UsageError } from './command.ts';

const usage = `Usage: ota serve [options]

Runs the OTA daemon of this ECU in the foreground, until it is told to stop (Ctrl-C, SIGTERM) or reboots the ECU.

Options:
  --ecu-info FILE   Description of this ECU and its children (ecu_info.yml)
  --options FILE    The daemon's own options (ota.yml)
  -h, --help        Show this help

Without these options the daemon looks for the files where docs/operations.md says.

Its log goes to stderr, as JSON lines. With a boot control that reboots by a restart of the daemon, whatever supervises
it must start it again after every exit.

Exit codes: 0 stopped when asked, 1 failed, 2 called wrongly; the option reboot.exit_code when the ECU has to boot
again.

Example:
  ota serve --ecu-info /boot/ota/ecu_info.yml --options /etc/ota/ota.yml
`;

const options = { 'ecu-info': { type: 'string' }, options: { type: 'string' } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  const { runDaemon } = await import('#app/daemon.ts');
  return await runDaemon({
    ecuInfoPath: values['ecu-info'],
    optionsPath: values.options,
    env: io.env,
    cwd: process.cwd(),
    signal: io.signal,
  });
}

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Run the OTA daemon of this ECU',
  usage,
  options,
  run,
};
