import type { ConsoleClient } from '#api/console-client.ts';
import type { ConsoleSignal } from '#api/console-diagnostics.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { consoleDoor, consoleOptions, consoleUsage } from './console-options.ts';
import { signalJson, signalLine } from './render-diagnostics.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';
import { withConsole } from './with-console.ts';

const usage = `Usage: ota diagnostics tail [PATH...] [options]

Shows the latest values of VSS signals, and then every change, until Ctrl-C.

  PATH   A signal, such as Vehicle.Speed, or a branch, such as Vehicle.OTA; all signals without it

Options:
  --once               End after the latest values
  --interval MS        At most one line per signal in so many milliseconds (default 200, at least 50)
  --json               One JSON object per value, each on its own line
${consoleUsage}
  -h, --help           Show this help

Exit codes: 0 shown, 1 failed or no such signal, 2 called wrongly, 3 no console answers, 9 not let in, 130 stopped by Ctrl-C.
`;

const options = {
  ...consoleOptions,
  once: { type: 'boolean' },
  interval: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const budgetMs = 10_000;
/** The most that a console watches for one caller. */
const mostPaths = 500;
const pathShape = /^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*$/;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const wrong = positionals.find((path) => !pathShape.test(path));
  if (wrong !== undefined) throw new UsageError(`"${harmless(wrong)}" is no path such as Vehicle.Speed`);
  const intervalMs = intervalOf(values.interval ?? '200');
  const style = styleOf(io, io.env);
  const show = (signals: readonly ConsoleSignal[]): void => {
    const lines = signals.map((one) =>
      values.json === true ? JSON.stringify(signalJson(one)) : signalLine(one, style),
    );
    io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  };
  const door = await consoleDoor(values, io);
  return await withConsole('diagnostics tail', io, async () => {
    using client = await door.open();
    const known = await signalsUnder(client, positionals, io);
    if (known.length === 0) {
      const what = positionals.length === 0 ? 'no signal has a value yet' : 'no such signal has a value';
      io.stderr.write(`ota diagnostics tail: ${what}\n`);
      return exitCodes.failed;
    }
    if (values.once === true) {
      show(known);
      return exitCodes.ok;
    }
    const paths = known.slice(0, mostPaths).map(({ path }) => path);
    if (known.length > mostPaths) {
      io.stderr.write(
        `ota diagnostics tail: the first ${mostPaths} of ${known.length} signals; name fewer\n`,
      );
    }
    const { watchSignals } = await import('#api/console-diagnostics.ts');
    for await (const signals of watchSignals(client, { paths, intervalMs }, io.signal)) show(signals);
    throw new Error('the console ended the values');
  });
}

/** The signals that are meant: of no path, all. */
async function signalsUnder(
  client: ConsoleClient,
  paths: readonly string[],
  io: CliIo,
): Promise<readonly ConsoleSignal[]> {
  const { listSignals } = await import('#api/console-diagnostics.ts');
  const call = { signal: io.signal, budgetMs };
  const signals = await listSignals(client, paths.length === 1 ? (paths[0] ?? '') : '', call);
  if (paths.length === 0) return signals;
  return signals.filter(({ path }) => paths.some((one) => path === one || path.startsWith(`${one}.`)));
}

function intervalOf(text: string): number {
  const ms = Number(text);
  if (!/^\d+$/.test(text) || ms < 50 || ms > 3_600_000) {
    throw new UsageError(`--interval "${harmless(text)}": a number of milliseconds from 50 to 3600000`);
  }
  return ms;
}

export const diagnosticsTailCommand: Command = {
  name: 'diagnostics tail',
  summary: 'Show values of signals as they come',
  usage,
  options,
  run,
};
