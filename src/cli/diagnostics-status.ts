import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { consoleDoor, consoleOptions, consoleUsage } from './console-options.ts';
import { diagnosticsJson, renderDiagnostics } from './render-diagnostics.ts';
import { styleOf } from './render-style.ts';
import { withConsole } from './with-console.ts';

const usage = `Usage: ota diagnostics status [options]

Shows how diagnostics of one ECU fare: the sources of signals, the campaigns and what they kept and dropped, what waits in
the spool, and what was uploaded. Counts are since its daemon began.

Options:
  --json               One JSON object instead of text
${consoleUsage}
  -h, --help           Show this help

Exit codes: 0 shown, 1 failed, 2 called wrongly, 3 no console answers, 9 not let in.
`;

const options = { ...consoleOptions, json: { type: 'boolean' } } as const;
const budgetMs = 10_000;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  const door = await consoleDoor(values, io);
  return await withConsole('diagnostics status', io, async () => {
    const { readDiagnostics } = await import('#api/console-diagnostics.ts');
    using client = await door.open();
    const report = await readDiagnostics(client, { signal: io.signal, budgetMs });
    if (report === undefined) throw new Error('the console tells nothing of diagnostics');
    const lines =
      values.json === true
        ? [JSON.stringify(diagnosticsJson(report))]
        : renderDiagnostics(report, styleOf(io, io.env));
    io.stdout.write(`${lines.join('\n')}\n`);
    return exitCodes.ok;
  });
}

export const diagnosticsStatusCommand: Command = {
  name: 'diagnostics status',
  summary: 'Show sources, campaigns, spool and uploads',
  usage,
  options,
  run,
};
