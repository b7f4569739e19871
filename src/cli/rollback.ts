import type { CliIo, Command } from './command.ts';
import { parseCommandLine, UsageError } from './command.ts';
import { connect } from './connect.ts';
import { runRequest, timeoutOf, waitNote, waitOptions, waitUsage } from './request.ts';
import { ecuIdsOf, hostOf, hostOption, hostText, hostUsage } from './vehicle-options.ts';
import { withDaemon } from './with-daemon.ts';

const usage = `Usage: ota rollback --ecu ID [--ecu ID ...] [options]
       ota rollback --dry-run [--ecu-info FILE] [--options FILE] [--json]

Boots the previous release again on the named ECUs, as long as it is still intact in the other slot.
With --dry-run it tells, on the ECU itself, which release that is, whether it is intact, and each file that would be
carried back to it (option persist.back_on_rollback); it writes nothing.

Options:
  --ecu ID             ECU to take back; repeat it for several
${hostUsage}
${waitUsage}
  --dry-run            Only tell what a rollback of this ECU would do
  --ecu-info FILE      With --dry-run: description of this ECU (ecu_info.yml), from which its slots are known
  --options FILE       With --dry-run: the daemon's own options (ota.yml)
  --json               JSON lines: the answers; with --wait every status change, and the result
  -h, --help           Show this help

${waitNote}

Exit codes: 0 all accepted (with --wait: all back; with --dry-run: would be taken), 1 some refused,
2 called wrongly, 3 no daemon answers, 6 not now: the vehicle's state forbids it, 130 stopped by Ctrl-C. With --wait
also 4 an ECU failed, 5 timed out.

Examples:
  ota rollback --ecu camera --wait
  ota rollback --dry-run
`;

const options = {
  ...hostOption,
  ...waitOptions,
  ecu: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'ecu-info': { type: 'string' },
  options: { type: 'string' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const ecuIds = ecuIdsOf(values.ecu, positionals);
  const { 'ecu-info': ecuInfoPath, options: optionsPath, json = false } = values;
  if (values['dry-run'] === true) {
    if (ecuIds.length > 0 || values.host !== undefined || values.wait === true) {
      throw new UsageError('--dry-run looks at the ECU that it runs on: it takes no --ecu, --host or --wait');
    }
    const { dryRunRollback } = await import('./rollback-dry-run.ts');
    return dryRunRollback({ ecuInfoPath, optionsPath, json }, io);
  }
  if (ecuInfoPath !== undefined || optionsPath !== undefined) {
    throw new UsageError('--ecu-info and --options are for --dry-run');
  }
  if (ecuIds.length === 0) throw new UsageError('name the ECUs with --ecu');
  const timeoutMs = timeoutOf(values);
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
            ? { target: (ecuId) => ({ ecuId, version: undefined }), timeoutMs }
            : undefined,
        json,
      },
      io,
    ),
  );
}

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'Take ECUs back to their previous release',
  usage,
  options,
  run,
};
