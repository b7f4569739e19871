import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type OptionEntry, optionList } from '#config/option-list.ts';

// Writes the table of options in docs/operations.md from the schema that the daemon reads; `--check` only compares.

const file = join(import.meta.dirname, '../docs/operations.md');
const begin = '<!-- options: made by scripts/options-table.ts, do not edit -->';
const end = '<!-- end of options -->';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const page = readFileSync(file, 'utf8');
const [from, to] = [page.indexOf(begin), page.indexOf(end)];
if (from < 0 || to < from) throw new Error(`${file} has no place for the table: ${begin} … ${end}`);
const wanted = `${page.slice(0, from)}${begin}\n\n${table()}\n${page.slice(to)}`;
if (!values.check) {
  writeFileSync(file, wanted);
} else if (wanted !== page) {
  process.stderr.write('docs/operations.md does not show the options as they are: run `npm run options`\n');
  process.exitCode = 1;
}

function table(): string {
  const head = ['| Option | Variable | Values | Default | Meaning |', '| --- | --- | --- | --- | --- |'];
  return [...head, ...optionList.map(row), ''].join('\n');
}

function row({ name, variable, type, initial, about }: OptionEntry): string {
  const cells = [
    `\`${name}\``,
    `\`${variable}\``,
    type,
    initial === undefined ? '' : `\`${show(initial)}\``,
    about,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function show(initial: unknown): string {
  return typeof initial === 'string' ? initial : JSON.stringify(initial);
}
