import { loadConfig } from '#config/load.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { harmless } from './render-text.ts';
import { suggest } from './suggest.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

const usage = `Usage: ota completion SHELL
       ota completion ecu-ids

Writes a script by which a shell completes commands, options, their values and files. The script is made from the
commands themselves; ECUs are those of this ECU's configuration, which "ecu-ids" lists.

  SHELL   bash, zsh or fish

Options:
  -h, --help   Show this help

Exit codes: 0 written, 1 failed, 2 called wrongly.

Examples:
  source <(ota completion bash)
  ota completion bash > /usr/share/bash-completion/completions/ota
  ota completion zsh > "\${fpath[1]}/_ota"
  ota completion fish > ~/.config/fish/completions/ota.fish
`;

const options = {} as const;

/** The completion script of a shell for these commands. */
export async function completionScript(shell: Shell, commands: readonly Command[]): Promise<string> {
  const { completionTable } = await import('./completion/completion-table.ts');
  const table = completionTable(commands);
  switch (shell) {
    case 'bash':
      return (await import('./completion/bash.ts')).bashScript(table);
    case 'zsh':
      return (await import('./completion/zsh.ts')).zshScript(table);
    case 'fish':
      return (await import('./completion/fish.ts')).fishScript(table);
  }
}

/** Names that a shell would take for something else are left out. */
const plainId = /^[\w.@%+,-]+$/;

async function ecuIds(io: CliIo): Promise<string[]> {
  const { ecuInfo } = await loadConfig({ env: io.env, cwd: process.cwd() });
  const ids = [ecuInfo.ecuId, ...ecuInfo.secondaries.map(({ ecuId }) => ecuId), ...ecuInfo.availableEcuIds];
  return [...new Set(ids)].filter((id) => plainId.test(id));
}

/** `load` gives every command, this one included. */
async function run(
  args: readonly string[],
  io: CliIo,
  load: () => Promise<readonly Command[]>,
): Promise<number> {
  const { positionals } = parseCommandLine(args, options);
  const [what, ...more] = positionals;
  if (what === undefined || more.length > 0) throw new UsageError(`name one of ${shells.join(', ')}`);
  if (what === 'ecu-ids') {
    io.stdout.write((await ecuIds(io)).map((id) => `${id}\n`).join(''));
    return exitCodes.ok;
  }
  const shell = shells.find((one) => one === what);
  if (shell === undefined) {
    const near = suggest(what, shells);
    const hint = near === undefined ? `one of ${shells.join(', ')} is needed` : `did you mean "${near}"?`;
    throw new UsageError(`"${harmless(what)}": ${hint}`);
  }
  io.stdout.write(await completionScript(shell, await load()));
  return exitCodes.ok;
}

/** The command, for the commands that `load` gives; the list of them knows this one, and not the other way round. */
export function completionCommand(load: () => Promise<readonly Command[]>): Command {
  return {
    name: 'completion',
    summary: 'Write a script by which a shell completes the command line',
    usage,
    options,
    words: [...shells, 'ecu-ids'],
    run: (args, io) => run(args, io, load),
  };
}
