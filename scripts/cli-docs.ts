import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { catalogue } from '#cli/catalogue.ts';
import { topHelp } from '#cli/dispatch.ts';

// Writes the help of every command into docs/cli.md, so that the page shows what the program says; `--check` only
// compares.

const file = join(import.meta.dirname, '../docs/cli.md');
const begin = '<!-- help: made by scripts/cli-docs.ts, do not edit -->';
const end = '<!-- end of help -->';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const page = readFileSync(file, 'utf8');
const [from, to] = [page.indexOf(begin), page.indexOf(end)];
if (from < 0 || to < from) throw new Error(`${file} has no place for the help: ${begin} … ${end}`);
const wanted = `${page.slice(0, from)}${begin}\n\n${await helpOfAll()}\n${page.slice(to)}`;
if (!values.check) {
  writeFileSync(file, wanted);
} else if (wanted !== page) {
  process.stderr.write('docs/cli.md does not show the help as it is: run `node scripts/cli-docs.ts`\n');
  process.exitCode = 1;
}

async function helpOfAll(): Promise<string> {
  const commands = await Promise.all(
    catalogue.flatMap(({ entries }) => entries.map((entry) => entry.load())),
  );
  const sections = commands.map(({ name, usage }) => section(`ota ${name}`, usage));
  return [section('ota', topHelp()), ...sections].join('\n');
}

function section(title: string, help: string): string {
  return `### ${title}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
}
