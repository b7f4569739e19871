import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UpdatePlan } from '#update/plan-update.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { cookiesVariable, readCookies } from './cookies.ts';
import { settingOptions } from './plan-options.ts';
import { fits, planJson, renderPlan } from './render-plan.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';

const usage = `Usage: ota plan --url URL [options]
       ota plan --url URL --active DIR --standby DIR --trust DIR [options]

Tells what an update of this ECU would copy, link and download, and whether it fits, without doing it: verifies the
image, reads both slots, and writes nothing to them.

Options:
  --url URL            Where the image lies (http or https)
  --cookies-file FILE  Cookies for the image server: a JSON object of text values; "-" reads stdin.
                       Without it $${cookiesVariable} is used.
  --ecu-info FILE      Description of the ECU (ecu_info.yml), from which its slots and trusted certificates are known
  --options FILE       The daemon's own options (ota.yml)
  --active DIR         Instead: root directory of the release that runs,
  --standby DIR        the directory that the new release would be built in (need not exist),
  --trust DIR          and the certificates that the ECU trusts
  --files              Every regular file too: source, bytes and path, separated by tabs
  --json               One JSON object; with --files one per file after it, each on its own line
  -h, --help           Show this help

Without options the ECU's files are looked for where docs/operations.md says. The space that is available counts what
the standby slot holds now as free.

Exit codes: 0 fits, 1 failed or does not fit, 2 called wrongly.

Examples:
  ota plan --url http://10.0.0.9:8080/2.0/
  ota plan --url http://10.0.0.9:8080/2.0/ --active / --standby /mnt/b --trust /opt/ota/client/certs --files
`;

const options = {
  ...settingOptions,
  url: { type: 'string' },
  'cookies-file': { type: 'string' },
  files: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not expected here`);
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
