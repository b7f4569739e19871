import type { OtaClient } from '#api/client.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { connect } from './connect.ts';
import type { ConsoleValues } from './console-options.ts';
import { consoleDoor, consoleOptions, consoleUsage } from './console-options.ts';
import { askStatus, poll } from './poll.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';
import { renderVehicle } from './render-vehicle.ts';
import { statusJson } from './status-json.ts';
import { canDrawScreen, statusSink } from './status-sink.ts';
import type { HostPort } from './vehicle-options.ts';
import { hostOf, hostOption, hostText, hostUsage, secondsOf, vehicleExitCodes } from './vehicle-options.ts';
import { VehicleView } from './vehicle-view.ts';
import type { EventSource } from './watch/watch-status.ts';
import { withDaemon } from './with-daemon.ts';

const usage = `Usage: ota status [options]

Shows every ECU that the asked daemon knows: its version, what it does, how far an update is (copied, linked and
downloaded files and bytes, rate, failed downloads), and for a failure the reason and what to do.

Options:
${hostUsage}
  --watch, -w          Go on showing until Ctrl-C: on a terminal the whole screen, with keys to scroll (? shows
                       them, q quits) and the last events of the console; otherwise one line per change
  --json               One JSON object; with --watch one per change, each on its own line
  --interval SECONDS   With --watch: time between two looks (default 1, at least 0.2)
${consoleUsage}
  -h, --help           Show this help

The console is asked for events only, with --watch on a terminal; without one the view is the same but for them.

Exit codes: 0 shown, 1 failed, 2 called wrongly, 3 no daemon answers, 130 stopped by Ctrl-C. With --watch a daemon
that does not answer is waited for.

Examples:
  ota status
  ota status --host 10.0.0.1 --watch
  ota status --json | jq -r '.ecus[] | [.ecu_id, .status, .firmware_version] | @tsv'
`;

const options = {
  ...hostOption,
  ...consoleOptions,
  watch: { type: 'boolean', short: 'w' },
  json: { type: 'boolean' },
  interval: { type: 'string' },
} as const;

async function watch(
  client: OtaClient,
  host: string,
  intervalMs: number,
  json: boolean,
  io: CliIo,
): Promise<number> {
  const view = new VehicleView();
  const sink = statusSink(io, host, json);
  try {
    for await (const { report, lost } of poll(client, intervalMs, io.signal)) {
      const now = Date.now();
      sink.show(report === undefined ? view.lose(lost) : view.observe(report, now), now);
    }
    throw new Error('the status poll ended by itself');
  } catch (error) {
    // To be stopped is how watching ends; there is nothing to tell.
    if (io.signal.aborted) return exitCodes.failed;
    throw error;
  } finally {
    sink.close();
  }
}

async function once(client: OtaClient, host: string, json: boolean, io: CliIo): Promise<number> {
  const { report, lost } = await askStatus(client, io.signal);
  const now = Date.now();
  const view = new VehicleView();
  const state = report === undefined ? view.lose(lost) : view.observe(report, now);
  if (json) {
    io.stdout.write(`${JSON.stringify(statusJson(state, host, now), null, 2)}\n`);
  } else if (lost === undefined) {
    io.stdout.write(`${renderVehicle(state, styleOf(io, io.env)).join('\n')}\n`);
  }
  if (lost === undefined) return exitCodes.ok;
  io.stderr.write(`ota status: ${harmless(lost)}\n`);
  return vehicleExitCodes.unreachable;
}

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  if (values.interval !== undefined && values.watch !== true)
    throw new UsageError('--interval needs --watch');
  const intervalMs = secondsOf(values.interval ?? '1', 'interval', 0.2);
  const host = hostOf(values.host, io);
  const json = values.json ?? false;
  const onScreen = values.watch === true && !json && canDrawScreen(io);
  const source = onScreen ? await eventSource(values, host, io) : undefined;
  using client = await connect(host);
  return await withDaemon('status', io, async () => {
    if (values.watch !== true) return await once(client, hostText(host), json, io);
    if (!onScreen) return await watch(client, hostText(host), intervalMs, json, io);
    const { watchStatus } = await import('./watch/watch-status.ts');
    return await watchStatus({ client, host: hostText(host), intervalMs, source }, io);
  });
}

/** The console whose events are shown: one that is named, or that of the daemon that is asked. */
async function eventSource(
  values: ConsoleValues & { readonly host?: string | undefined },
  host: HostPort,
  io: CliIo,
): Promise<EventSource | undefined> {
  const named = Object.keys(consoleOptions).some((name) => values[name as keyof ConsoleValues] !== undefined);
  const door = await consoleDoor(values, io).catch((error: unknown) => {
    // Nobody asked for events: a console that is off, or whose files are another user's, takes nothing else away.
    if (named || !(error instanceof UsageError)) throw error;
    return undefined;
  });
  if (door === undefined) return undefined;
  if (door.own === undefined) return { door, isWanted: true };
  const isOwn = values.host === undefined && (io.env['OTA_HOST'] ?? '') === '';
  return isOwn || hostText(door.own) === hostText(host) ? { door, isWanted: false } : undefined;
}

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show what every ECU of the vehicle does',
  usage,
  options,
  run,
};
