import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UpdatePlan } from '#update/plan-update.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { consoleOptions, consoleUsage } from './console-options.ts';
import { cookiesVariable, readCookies } from './cookies.ts';
import { settingOptions } from './plan-options.ts';
import { fits, planJson, renderPlan } from './render-plan.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';
import { updateWish, wishOptions } from './update-wish.ts';
import { ecuIdsOf } from './vehicle-options.ts';

const usage = `Usage: ota plan --url URL [options]
       ota plan --url URL --active DIR --standby DIR --trust DIR [options]
       ota plan (--ecu ID ... | --all) --version V --url URL [options]
       ota plan --request FILE [options]

Tells what an update of this ECU would copy, link and download, and whether it fits, without doing it: verifies the
image, reads both slots, and writes nothing to them. With --ecu, --all or --request, as for "ota update", the console
asks each ECU of the vehicle the same, and whether it would refuse the update now and why.

Options:
  --url URL            Where the image lies (http or https)
  --ecu ID             ECU of the vehicle; repeat it for several
  --all                Every ECU of the vehicle's update campaigns
  --version V          Version of the release, for ECUs of the vehicle
  --request FILE       The whole request, as for "ota update"; "-" reads stdin
  --force              As for "ota update"
  --cookies-file FILE  Cookies for the image server: a JSON object of text values; "-" reads stdin.
                       Without it $${cookiesVariable} is used.
  --ecu-info FILE      Description of the ECU (ecu_info.yml), from which its slots and trusted certificates are known
  --options FILE       The daemon's own options (ota.yml)
  --active DIR         Instead: root directory of the release that runs,
  --standby DIR        the directory that the new release would be built in (need not exist),
  --trust DIR          and the certificates that the ECU trusts
  --files              Every regular file too: source, bytes and path, separated by tabs
  --json               One JSON object; with --files one per file after it, each on its own line
${consoleUsage}
  -h, --help           Show this help

Without options the ECU's files are looked for where docs/operations.md says. The space that is available counts what
the standby slot holds now as free.

Exit codes: 0 fits, 1 failed, refused or does not fit, 2 called wrongly; of the vehicle also 3 no console answers,
6 only the vehicle's state forbids it now, 9 not let in.

Examples:
  ota plan --url http://10.0.0.9:8080/2.0/
  ota plan --all --version 2.0 --url http://10.0.0.9:8080/2.0/
  ota plan --url http://10.0.0.9:8080/2.0/ --active / --standby /mnt/b --trust /opt/ota/client/certs --files
`;

const options = {
  ...settingOptions,
  ...wishOptions,
  ...consoleOptions,
  files: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
  const ecuIds = ecuIdsOf(values.ecu, []);
  if (ecuIds.length > 0 || values.all === true || values.request !== undefined) {
    refuse(values, [...Object.keys(settingOptions), 'files'], 'is of this ECU only');
    const { planVehicleCommand } = await import('./plan-vehicle.ts');
    const wish = await updateWish(values, ecuIds, io);
    return await planVehicleCommand(wish, { values, json: values.json === true }, io);
  }
  refuse(values, ['version', 'force', ...Object.keys(consoleOptions)], 'needs --ecu, --all or --request');
  if (values.url === undefined) throw new UsageError('--url is missing');
  const json = values.json === true;
  const cookies = await readCookies(values['cookies-file'], io);
  const { makePlan } = await import('./make-plan.ts');
  const plan = await makePlan({ url: values.url, cookies, setting: values }, io);
  io.stdout.write(
    json
      ? `${JSON.stringify(planJson(plan, values.url))}\n`
      : `${renderPlan(plan, styleOf(io, io.env)).join('\n')}\n`,
  );
  if (values.files === true) await writeFiles(plan, json, io);
  return fits(plan.space) ? exitCodes.ok : exitCodes.failed;
}

/** Options of another use of the command. */
function refuse(values: Readonly<Record<string, unknown>>, names: readonly string[], why: string): void {
  const given = names.find((name) => values[name] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given} ${why}`);
}

/** There may be hundreds of thousands: written as fast as they are read. */
async function writeFiles(plan: UpdatePlan, json: boolean, io: CliIo): Promise<void> {
  function* lines(): Generator<string> {
    for (const { source, bytes, path } of plan.files()) {
      yield json
        ? `${JSON.stringify({ type: 'file', source, bytes, path })}\n`
        : `${source}\t${bytes}\t${harmless(path)}\n`;
    }
  }
  await pipeline(Readable.from(lines()), io.stdout, { end: false, signal: io.signal });
}

export const planCommand: Command = {
  name: 'plan',
  summary: 'Tell what an update would copy, link and download',
  usage,
  options,
  run,
};
