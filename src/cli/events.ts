import type { EventFilter } from '#api/console-journal.ts';
import type { EventKindName, VehicleEvent } from '#api/vehicle-event.ts';
import { eventKinds } from '#api/vehicle-event.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import type { ConsoleDoor } from './console-options.ts';
import { consoleDoor, consoleOptions, consoleUsage } from './console-options.ts';
import { eventJson, eventLines } from './render-event.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';
import { suggest } from './suggest.ts';
import { ecuIdsOf } from './vehicle-options.ts';
import { withConsole } from './with-console.ts';

const usage = `Usage: ota events [options]

Shows the journal of the vehicle, newest last: who asked for what, every change of an ECU's state, who fell silent, who
was turned away. The journal is kept by the console of a daemon over restarts.

Options:
  --ecu ID             Only events of this ECU; repeat it for several
  --kind KIND          Only events of this kind: ${eventKinds.join(', ')}; repeat it for several
  --query TEXT         Only events whose line or caller has this text, whatever its case
  --limit COUNT        At most this many of the events that are there (default 100; 20 with --follow)
  --follow, -f         Go on with every new event until Ctrl-C, through restarts of the daemon
  --json               One JSON object per event, each on its own line
${consoleUsage}
  -h, --help           Show this help

Exit codes: 0 shown, 1 failed, 2 called wrongly, 3 no console answers, 9 not let in, 130 stopped by Ctrl-C. With
--follow a console that does not answer is waited for.

Examples:
  ota events --ecu camera --limit 20
  ota events --follow --kind request --kind denied
  ota events --json | jq -r 'select(.kind == "state") | [.time, .ecu_id, .text] | @tsv'
`;

const options = {
  ...consoleOptions,
  ecu: { type: 'string', multiple: true },
  kind: { type: 'string', multiple: true },
  query: { type: 'string' },
  limit: { type: 'string' },
  follow: { type: 'boolean', short: 'f' },
  json: { type: 'boolean' },
} as const;

/** More than the journal of any vehicle holds. */
const largestLimit = 1_000_000;
const budgetMs = 10_000;

function kindOf(text: string): EventKindName {
  const kind = eventKinds.find((one) => one === text);
  if (kind !== undefined) return kind;
  const near = suggest(text, eventKinds);
  const hint = near === undefined ? `one of ${eventKinds.join(', ')}` : `did you mean "${near}"?`;
  throw new UsageError(`--kind "${text}": ${hint}`);
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > largestLimit) {
    throw new UsageError(`--limit "${text}": a number from 1 to ${largestLimit}`);
  }
  return limit;
}

interface Wish {
  readonly filter: EventFilter;
  readonly limit: number;
  readonly show: (events: readonly VehicleEvent[]) => void;
}

async function list(door: ConsoleDoor, { filter, limit, show }: Wish, io: CliIo): Promise<number> {
  const { lastEvents } = await import('#api/console-journal.ts');
  using client = await door.open();
  const events = await lastEvents(client, filter, { limit, after: 0n }, { signal: io.signal, budgetMs });
  show(events);
  if (events.length === 0) io.stderr.write('ota events: no such events in the journal\n');
  return exitCodes.ok;
}

async function follow(door: ConsoleDoor, { filter, limit, show }: Wish, io: CliIo): Promise<number> {
  const { followEvents } = await import('./follow-events.ts');
  try {
    for await (const news of followEvents(door, { filter, limit }, io.signal)) {
      if ('events' in news) show(news.events);
      else if ('lost' in news) io.stderr.write(`ota events: reconnecting ... ${harmless(news.lost)}\n`);
      else io.stderr.write('ota events: some events are missing here: the journal has dropped them\n');
    }
    throw new Error('the journal ended by itself');
  } catch (error) {
    // To be stopped is how following ends; there is nothing to tell.
    if (io.signal.aborted) return exitCodes.failed;
    throw error;
  }
}

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  const following = values.follow === true;
  const filter = {
    ecuIds: ecuIdsOf(values.ecu, []),
    kinds: [...new Set((values.kind ?? []).map(kindOf))],
    query: values.query ?? '',
  };
  const limit = limitOf(values.limit ?? (following ? '20' : '100'));
  const show: Wish['show'] = (events) => {
    const lines =
      values.json === true
        ? events.map((event) => JSON.stringify(eventJson(event)))
        : eventLines(events, Date.now(), styleOf(io, io.env));
    io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  };
  const door = await consoleDoor(values, io);
  return await withConsole('events', io, () =>
    (following ? follow : list)(door, { filter, limit, show }, io),
  );
}

export const eventsCommand: Command = {
  name: 'events',
  summary: 'Show the journal of the vehicle',
  usage,
  options,
  choices: { kind: eventKinds },
  run,
};
