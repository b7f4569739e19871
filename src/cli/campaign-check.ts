import { formatProblem } from '#config/config-error.ts';
import { readConfigFile } from '#config/config-file.ts';
import type { Campaign, Trigger } from '#diagnostics/campaign/campaign.ts';
import { maxCampaignBytes } from '#diagnostics/campaign/campaign-files.ts';
import { checkSignals } from '#diagnostics/campaign/check-signals.ts';
import { parseCampaign } from '#diagnostics/campaign/parse-campaign.ts';
import { readCatalogs } from '#diagnostics/signals/vss-catalog.ts';
import { type CliIo, type Command, exitCodes, parseCommandLine, UsageError } from './command.ts';
import { harmless } from './render-text.ts';
import { suggest } from './suggest.ts';

const usage = `Usage: ota campaign check [--vss FILE]... FILE...

Checks files of collection campaigns (YAML or JSON) and tells what each would collect. Problems are told with file, line,
key and mend.

Options:
  --vss FILE   Also check that the signals are in this catalog (a vss.json, as vss-tools export it) and can do what is
               asked of them; repeat it for several, of which later ones add to the first
  -h, --help   Show this help

Exit codes: 0 all good, 1 a file has problems, 2 called wrongly.
`;

const options = { vss: { type: 'string', multiple: true } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  if (positionals.length === 0) throw new UsageError('a file is needed');
  // Errors: CatalogError, which tells file, path and mend.
  const datatypes =
    values.vss === undefined
      ? undefined
      : new Map([...readCatalogs(values.vss)].map(([path, { datatype }]) => [path, datatype]));
  let good = true;
  for (const file of positionals) {
    const read = await readConfigFile(file, maxCampaignBytes);
    const parsed = read.ok
      ? parseCampaign(read.text, file)
      : { ok: false as const, problems: [read.problem] };
    const problems = parsed.ok
      ? datatypes === undefined
        ? []
        : checkSignals(parsed.campaign, { datatypes, suggest, problem: parsed.problem })
      : parsed.problems;
    if (parsed.ok && problems.length === 0) io.stdout.write(summary(file, parsed.campaign));
    else good = false;
    for (const problem of problems) io.stderr.write(`${harmless(formatProblem(problem))}\n`);
  }
  return good ? exitCodes.ok : exitCodes.failed;
}

function summary(file: string, campaign: Campaign): string {
  const { id, priority, signals, triggers, startsAt, expiresAt } = campaign;
  const from = startsAt === undefined ? 'now' : new Date(startsAt).toISOString();
  const to = expiresAt === undefined ? 'further notice' : new Date(expiresAt).toISOString();
  const lines = [
    `${file}: campaign ${id}, priority ${priority}, from ${from} until ${to}`,
    ...signals.map(({ path, sampling }) => `  signal   ${path}  ${sampling.mode}`),
    ...triggers.map(({ name, cause }) => {
      return `  trigger  ${name}  ${causeText(cause)}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function causeText(cause: Trigger['cause']): string {
  switch (cause.on) {
    case 'condition':
      return cause.text;
    case 'update':
      return cause.states.join(', ');
    case 'trouble_codes':
      return `a new trouble code in ${cause.path}`;
    case 'failure':
      return 'failure';
  }
}

export const campaignCheckCommand: Command = {
  name: 'campaign check',
  summary: 'Check files of collection campaigns',
  usage,
  options,
  run,
};
