import type { CliIo, Command } from './command.ts';
import { parseCommandLine } from './command.ts';
import { connect } from './connect.ts';
import { runRequest, timeoutOf, waitNote, waitOptions, waitUsage } from './request.ts';
import { ecuIdsOf, hostOf, hostOption, hostText, hostUsage } from './vehicle-options.ts';
import { withDaemon } from './with-daemon.ts';

const usage = `Usage: ota abort [--ecu ID ...] [options]

Stops running updates. An ECU can be stopped at any point before it switches its boot choice; it keeps the release that
it runs, and can be updated again.

Options:
  --ecu ID             ECU to stop; repeat it for several (default: every ECU of the vehicle)
${hostUsage}
${waitUsage}
  --json               JSON lines: the answers; with --wait every status change, and the result
  -h, --help           Show this help

Daemons of this make answer when the ECU has been stopped; with --wait it is made sure by the status of each.
${waitNote}

Exit codes: 0 all stopped, 1 some not stopped, 2 called wrongly, 3 no daemon answers, 130 stopped by Ctrl-C. With --wait
also 4 an ECU's job ended before it could be stopped, 5 timed out.
An ECU that had nothing to stop answers so, and counts as not stopped.

Example:
  ota abort --ecu camera
`;

const options = {
  ...hostOption,
  ...waitOptions,
  ecu: { type: 'string', multiple: true },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const ecuIds = ecuIdsOf(values.ecu, positionals);
  const timeoutMs = timeoutOf(values);
  const host = hostOf(values.host, io);
  using client = await connect(host);
  return await withDaemon('abort', io, () =>
    runRequest(
      {
        kind: 'abort',
        client,
        host: hostText(host),
        named: ecuIds,
        send: (requestId, call) => client.abort({ ecuIds, requestId }, call),
        wait:
          values.wait === true
            ? { target: (ecuId) => ({ ecuId, version: undefined, isStopped: true }), timeoutMs }
            : undefined,
        json: values.json ?? false,
      },
      io,
    ),
  );
}

export const abortCommand: Command = {
  name: 'abort',
  summary: 'Stop running updates',
  usage,
  options,
  run,
};
