import type { OtaClient } from '#api/client.ts';
import type { CliIo, Command } from './command.ts';
import { parseCommandLine } from './command.ts';
import { connect } from './connect.ts';
import { cookiesVariable } from './cookies.ts';
import { runRequest, timeoutOf, waitNote, waitOptions, waitUsage } from './request.ts';
import { updateWish, wishOptions } from './update-wish.ts';
import { ecuIdsOf, hostOf, hostOption, hostText, hostUsage } from './vehicle-options.ts';
import { withDaemon } from './with-daemon.ts';

const usage = `Usage: ota update (--ecu ID ... | --all) --version V --url URL [options]
       ota update --request FILE [options]

Brings the named ECUs to another release. The daemon that is asked passes the request on to the ECUs below it.

Options:
  --ecu ID             ECU to update; repeat it for several
  --all                Every ECU of the vehicle's update campaigns (available_ecu_ids of its Status)
  --version V          Version of the release
  --url URL            Where its image lies (http or https)
  --cookies-file FILE  Cookies for the image server: a JSON object of text values; "-" reads stdin.
                       Without it $${cookiesVariable} is used. There is no option that takes them directly:
                       every user of the machine can read command lines.
  --request FILE       The whole request: a YAML or JSON list of {ecu_id, version, url, cookies} and, if wanted,
                       release_name, release_id, image_id, force; "-" reads stdin. Entries without cookies get
                       those above.
  --force              Install the release although an ECU came back from it by itself and quarantined it
${hostUsage}
${waitUsage}
  --json               JSON lines: the answers; with --wait every status change, and the result
  -h, --help           Show this help

${waitNote}

Exit codes: 0 all accepted (with --wait: all run the wanted version), 1 some refused, 2 called wrongly,
3 no daemon answers, 6 not now: the vehicle's state forbids it, 130 stopped by Ctrl-C. With --wait also 4 an ECU failed,
5 timed out, 7 an ECU came back to its old release by itself, 8 stopped by an abort.

Examples:
  ota update --ecu main --ecu camera --version 2.0 --url http://10.0.0.9:8080/2.0/ --wait
  ota update --request request.yaml --host 10.0.0.1 --json
`;

const options = {
  ...hostOption,
  ...waitOptions,
  ...wishOptions,
  json: { type: 'boolean' },
} as const;

/** The ECUs of an update campaign, as the daemon's configuration lists them. */
async function allEcuIds(client: OtaClient, signal: AbortSignal): Promise<readonly string[]> {
  const { availableEcuIds } = await client.status({ signal, budgetMs: 5000 });
  if (availableEcuIds.length === 0) throw new Error('the daemon lists no ECU (available_ecu_ids); use --ecu');
  return availableEcuIds;
}

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const ecuIds = ecuIdsOf(values.ecu, positionals);
  const timeoutMs = timeoutOf(values);
  const host = hostOf(values.host, io);
  const wish = await updateWish(values, ecuIds, io);
  using client = await connect(host);
  return await withDaemon('update', io, async () => {
    const entries =
      wish.kind === 'entries'
        ? wish.entries
        : (await allEcuIds(client, io.signal)).map((ecuId) => ({ ecuId, ...wish.release }));
    return await runRequest(
      {
        kind: 'update',
        client,
        host: hostText(host),
        named: entries.map((entry) => entry.ecuId),
        send: (requestId, call) => client.update({ entries, requestId }, call),
        wait:
          values.wait === true
            ? {
                target: (ecuId) => ({
                  ecuId,
                  version: entries.find((entry) => entry.ecuId === ecuId)?.version,
                }),
                timeoutMs,
              }
            : undefined,
        json: values.json ?? false,
      },
      io,
    );
  });
}

export const updateCommand: Command = {
  name: 'update',
  summary: 'Bring ECUs to another release',
  usage,
  options,
  run,
};
