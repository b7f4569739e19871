import type { QuarantinedRelease } from '#update/quarantine.ts';
import { Quarantine } from '#update/quarantine.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { openOwnSlots, ownSlotsOptions, ownSlotsUsage } from './own-slots.ts';
import { ellipsisOf, paint, styleOf } from './render-style.ts';
import { table } from './render-table.ts';
import { harmless } from './render-text.ts';

const usage = `Usage: ota quarantine [options]
       ota quarantine clear (VERSION | --all) [options]

Lists the releases that this ECU refuses because it came back from them by itself; "clear" allows them again. A single
update needs no clearing: "ota update --force" installs a quarantined release, and when it is kept it is allowed again.

Options:
  --all             Clear the whole list
${ownSlotsUsage}
  --json            One JSON object instead of text
  -h, --help        Show this help

Without these options it looks for the files where the daemon does, see docs/operations.md. The daemon may run.

Exit codes: 0 done, 1 failed or no such release is quarantined, 2 called wrongly.

Example:
  ota quarantine clear 2.0
`;

const options = { ...ownSlotsOptions, all: { type: 'boolean' }, json: { type: 'boolean' } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [verb, version, ...more] = positionals;
  if (verb !== undefined && verb !== 'clear')
    throw new UsageError(`"${verb}" is not expected here; try "clear"`);
  if (more.length > 0) throw new UsageError(`"${more[0]}" is not expected here`);
  const all = values.all === true;
  if (verb === 'clear' && all === (version !== undefined))
    throw new UsageError('name a version, or use --all');
  if (verb === undefined && all) throw new UsageError('--all is for "clear"');
  await using stack = new AsyncDisposableStack();
  const quarantine = new Quarantine(await openOwnSlots(values, io, stack));
  const { releases, problem } = await quarantine.list();
  if (problem !== undefined) io.stderr.write(`ota quarantine: ${problem}\n`);
  if (verb === undefined) {
    tell(releases, 'nothing is quarantined', values.json === true, io);
    return exitCodes.ok;
  }
  const named = releases.filter((release) => all || release.version === version);
  if (named.length === 0 && !all) {
    io.stderr.write(`ota quarantine: version "${harmless(version ?? '')}" is not quarantined\n`);
    return exitCodes.failed;
  }
  if (all) await quarantine.remove();
  else for (const release of named) await quarantine.remove(release);
  const left = (await quarantine.list()).releases;
  tell(left, 'nothing is quarantined any more', values.json === true, io);
  return exitCodes.ok;
}

function tell(releases: readonly QuarantinedRelease[], none: string, json: boolean, io: CliIo): void {
  if (json) {
    const list = releases.map(({ version, imageDigest: image_digest, at, why, blackBox }) => ({
      version,
      image_digest,
      at: new Date(at).toISOString(),
      why,
      blackbox: blackBox === '' ? null : blackBox,
    }));
    io.stdout.write(`${JSON.stringify({ type: 'quarantine', releases: list })}\n`);
    return;
  }
  if (releases.length === 0) {
    io.stdout.write(`${none}\n`);
    return;
  }
  const style = styleOf(io, io.env);
  const columns = [
    { title: 'RELEASE', maxWidth: 32 },
    { title: 'IMAGE' },
    { title: 'SINCE' },
    { title: 'BLACK BOX' },
    { title: 'BECAUSE' },
  ];
  const rows = releases.map(({ version, imageDigest, at, why, blackBox }) => [
    { text: harmless(version), painted: (text: string) => paint(style, 'bold', text) },
    { text: harmless(imageDigest).slice(0, 12) },
    { text: `${new Date(at).toISOString().slice(0, 19)}Z` },
    { text: harmless(blackBox) || '-' },
    { text: harmless(why) },
  ]);
  const lines = table(columns, rows, {
    ellipsis: ellipsisOf(style),
    paintTitle: (text) => paint(style, 'dim', text),
  });
  io.stdout.write(`${lines.join('\n')}\n`);
}

export const quarantineCommand: Command = {
  name: 'quarantine',
  summary: 'List the releases that this ECU refuses, or allow them again',
  usage,
  options,
  words: ['clear'],
  run,
};
