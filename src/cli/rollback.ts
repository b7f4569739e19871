import type { CliIo, Command } from './command.ts';
import { parseCommandLine, UsageError } from './command.ts';
import { connect } from './connect.ts';
import { defaultTimeout, runRequest, waitOptions, waitUsage } from './request.ts';
import { ecuIdsOf, hostOf, hostOption, hostText, hostUsage, secondsOf } from './vehicle-options.ts';
import { withDaemon } from './with-daemon.ts';

const usage = `Usage: ota rollback --ecu ID [--ecu ID ...] [options]

Boots the previous release again on the named ECUs, as long as it is still intact in the other slot.

Options:
  --ecu ID             ECU to take back; repeat it for several
${hostUsage}
${waitUsage}
  --json               JSON lines: the answers; with --wait every status change, and the result
  -h, --help           Show this help

Exit codes: 0 all accepted (with --wait: all back), 1 some refused, 2 called wrongly, 3 no daemon answers,
4 an ECU failed (--wait), 5 timed out (--wait), 130 stopped by Ctrl-C.

Example:
  ota rollback --ecu camera --wait
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
  if (ecuIds.length === 0) throw new UsageError('name the ECUs with --ecu');
  if (values.timeout !== undefined && values.wait !== true) throw new UsageError('--timeout needs --wait');
  const timeoutMs = secondsOf(values.timeout ?? defaultTimeout, 'timeout', 0);
  const host = hostOf(values.host, io);
  using client = await connect(host);
  return await withDaemon('rollback', io, () =>
    runRequest(
      {
        kind: 'rollback',
        client,
        host: hostText(host),
        named: ecuIds,
        send: (requestId, call) => client.rollback({ ecuIds, requestId }, call),
        wait:
          values.wait === true
            ? { targets: ecuIds.map((ecuId) => ({ ecuId, version: undefined })), timeoutMs }
            : undefined,
        json: values.json ?? false,
      },
      io,
    ),
  );
}

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'Take ECUs back to their previous release',
  usage,
  run,
};
