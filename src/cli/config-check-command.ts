import type { CliIo, Command } from './command.ts';
import { parseCommandLine, UsageError } from './command.ts';

const usage = `Usage: ota config check [options]

Reads the configuration as the daemon does, shows what is configured and from where, which boot control that means on
this machine and why, and tells every problem with file, line, key and what to do about it. Changes nothing.

Options:
  --ecu-info FILE   Description of this ECU and its children (ecu_info.yml)
  --options FILE    The daemon's own options (ota.yml)
  --files-only      Only the files, not this machine: they are those of another ECU
  --json            One JSON object instead of text
  -h, --help        Show this help

Without these options it looks for the files where the daemon does, see docs/operations.md.

Exit codes: 0 no problem, 1 problems found, 2 called wrongly.

Example:
  ota config check --ecu-info ./ecu_info.yml
`;

const options = {
  'ecu-info': { type: 'string' },
  options: { type: 'string' },
  'files-only': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  const { runConfigCheck } = await import('./config-check.ts');
  return await runConfigCheck({
    ecuInfoPath: values['ecu-info'],
    optionsPath: values.options,
    filesOnly: values['files-only'] ?? false,
    json: values.json ?? false,
    env: io.env,
    stdout: io.stdout,
    stderr: io.stderr,
  });
}

export const configCheckCommand: Command = {
  name: 'config check',
  summary: 'Check the configuration of this ECU',
  usage,
  options,
  run,
};
