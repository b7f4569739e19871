import { readFile } from 'node:fs/promises';
import type { CatalogueEntry } from './catalogue.ts';
import { catalogue } from './catalogue.ts';
import type { CliIo } from './command.ts';
import { exitCodes, runCommand } from './command.ts';
import { StopRequest } from './stop-request.ts';
import { suggest } from './suggest.ts';

const entries: readonly CatalogueEntry[] = catalogue.flatMap((group) => group.entries);

/** Names of commands that are only a prefix of others, such as `image`. */
const groupWords: readonly string[] = [
  ...new Set(entries.map((entry) => entry.name.split(' ')).flatMap((words) => words.slice(0, -1))),
];

function list(shown: readonly CatalogueEntry[]): string {
  const width = Math.max(...shown.map((entry) => entry.name.length));
  return shown.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}\n`).join('');
}

/** The help of `ota` itself. */
export function topHelp(): string {
  const groups = catalogue.map((group) => `${group.title}:\n${list(group.entries)}`).join('\n');
  return `ota - over-the-air updates for vehicles with many ECUs

Usage: ota <command> [options]

${groups}
Options:
  -h, --help     Show help; "ota <command> --help" shows the help of one command
  -V, --version  Show the version

Exit codes: 0 done, 1 failed or refused, 2 called wrongly, 3 no daemon answers, 4 an ECU failed, 5 timed out,
6 not now: the vehicle's state forbids it, 7 an ECU came back to its old release, 8 stopped by an abort, 9 not let in,
130 stopped by Ctrl-C.
`;
}

function groupHelp(word: string): string {
  const members = entries.filter((entry) => entry.name.startsWith(`${word} `));
  return `Usage: ota ${word} <command> [options]

${list(members)}
"ota ${word} <command> --help" shows the help of one command.
`;
}

async function version(): Promise<string> {
  const file = new URL('../../package.json', import.meta.url);
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  const found = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
  return String(found);
}

function unknownCommand(words: string, known: readonly string[], typed: string, io: CliIo): number {
  const near = suggest(typed, known);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  io.stderr.write(`ota: unknown command "${words}".${hint}\nTry: ota --help\n`);
  return exitCodes.usage;
}

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

async function runGroup(word: string, args: readonly string[], io: CliIo): Promise<number> {
  const sub = args[0];
  if (isHelp(sub)) {
    io.stdout.write(groupHelp(word));
    return exitCodes.ok;
  }
  if (sub === undefined) {
    io.stderr.write(groupHelp(word));
    return exitCodes.usage;
  }
  const entry = entries.find((one) => one.name === `${word} ${sub}`);
  if (entry !== undefined) return await runEntry(entry, args.slice(1), io);
  const members = entries.filter((one) => one.name.startsWith(`${word} `)).map((one) => one.name);
  return unknownCommand(`${word} ${sub}`, members, `${word} ${sub}`, io);
}

async function runEntry(entry: CatalogueEntry, args: readonly string[], io: CliIo): Promise<number> {
  return await runCommand(await entry.load(), args, io);
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [word, ...args] = argv;
  if (word === undefined) {
    io.stderr.write(topHelp());
    return exitCodes.usage;
  }
  if (isHelp(word)) {
    io.stdout.write(topHelp());
    return exitCodes.ok;
  }
  // `ota help image build` is `ota image build --help`.
  if (word === 'help') return await dispatch([...args, '--help'], io);
  if (word === '--version' || word === '-V') {
    io.stdout.write(`ota ${await version()}\n`);
    return exitCodes.ok;
  }
  if (groupWords.includes(word)) return await runGroup(word, args, io);
  const entry = entries.find((one) => one.name === word);
  if (entry !== undefined) return await runEntry(entry, args, io);
  return unknownCommand(word, [...new Set(entries.flatMap((one) => [one.name, ...groupWords]))], word, io);
}

/** Runs `ota` with its arguments and answers the exit code. A command that was cut short answers the stop's own. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const code = await dispatch(argv, io);
  const reason: unknown = io.signal.reason;
  return code !== exitCodes.ok && reason instanceof StopRequest ? reason.exitCode : code;
}
