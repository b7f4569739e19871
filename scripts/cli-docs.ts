import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { everyCommand } from '#cli/catalogue.ts';
import { topHelp } from '#cli/dispatch.ts';
import { exitMeanings, exitOrder } from '#cli/exit-codes.ts';

// Writes the help of every command and the table of exit codes into docs/cli.md, so that the page shows what the program
// says; `--check` only compares.

const file = join(import.meta.dirname, '../docs/cli.md');
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const page = readFileSync(file, 'utf8');
const wanted = [
  ['help', await helpOfAll()],
  ['exit codes', exitCodeTable()],
].reduce((text, [part = '', content = '']) => withPart(text, part, content), page);
if (!values.check) {
  writeFileSync(file, wanted);
} else if (wanted !== page) {
  process.stderr.write('docs/cli.md does not show the help as it is: run `node scripts/cli-docs.ts`\n');
  process.exitCode = 1;
}

/** The page with another content between the marks of a part. */
function withPart(text: string, part: string, content: string): string {
  const begin = `<!-- ${part}: made by scripts/cli-docs.ts, do not edit -->`;
  const end = `<!-- end of ${part} -->`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for the ${part}: ${begin} … ${end}`);
  return `${text.slice(0, from)}${begin}\n\n${content}\n${text.slice(to)}`;
}

function exitCodeTable(): string {
  const rows = exitMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  const order = exitOrder.filter((code) => code !== 0).join(', ');
  return [
    '| Code | Meaning |',
    '| --- | --- |',
    ...rows,
    '',
    `When several hold, the first of ${order} is taken.`,
    '',
  ].join('\n');
}

async function helpOfAll(): Promise<string> {
  const sections = (await everyCommand()).map(({ name, usage }) => section(`ota ${name}`, usage));
  return [section('ota', topHelp()), ...sections].join('\n');
}

function section(title: string, help: string): string {
  return `### ${title}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`;
}
