import type { Command } from '#cli/command.ts';
import { exitMeanings, exitOrder } from '#cli/exit-codes.ts';

// The manual page of `ota`, made from its help: man(7) macros only, so that every reader of manuals takes it.

const environment: readonly (readonly [string, string])[] = [
  ['OTA_HOST', 'Daemon that is asked where --host names none.'],
  ['OTA_CONSOLE_URL', 'Console that is asked where --console names none.'],
  ['OTA_CONSOLE_TOKEN', 'Token for the console where --token-file names none.'],
  ['OTA_COOKIES', 'Cookies for the image server where --cookies-file names none.'],
  ['OTA_ECU_INFO, OTA_OPTIONS', 'The two files of the configuration of this ECU.'],
  ['NO_COLOR', 'Any value switches colours off.'],
  ['TERM', 'With "dumb" nothing is drawn in place.'],
  ['LC_ALL, LC_CTYPE, LANG', 'Characters outside ASCII are used where they name UTF-8.'],
];

const files: readonly (readonly [string, string])[] = [
  ['/boot/ota/ecu_info.yaml, /boot/ota/ecu_info.yml', 'What this ECU is, and its children.'],
  ['/boot/ota/ota.yml, /etc/ota/ota.yml', "The daemon's own options."],
  [
    '/var/lib/ota/console/local-token',
    'Token of the console for the user whose daemon it is (option state.directory).',
  ],
];

/** Text for roff: no escapes, no requests, and dashes that can be copied into a shell. */
function roff(text: string): string {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga');
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

/** An argument of a macro. */
const quoted = (text: string): string => `"${roff(text).replaceAll('"', '\\(dq')}"`;

function verbatim(lines: readonly string[]): string[] {
  return ['.PP', '.RS 4', '.nf', ...lines.map((line) => roff(line.replace(/^ {2}/, ''))), '.fi', '.RE'];
}

/** A line of a list: two spaces, a term, and after two more spaces what it is. */
const term = /^ {2}(\S(?:.*?\S)?)(?: {2,}(\S.*))?$/;

/** A line of a list within the text of a term. */
const inner = /^ {8,}(\S+) {2,}(\S.*)$/;

/** Lists of options, one paragraph each; what does not fit the term's line follows further in. */
function list(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [, name, text = ''] = term.exec(line) ?? [];
    const [, word, about = ''] = inner.exec(line) ?? [];
    if (word !== undefined) return ['.br', roff(`${word}: ${about}`)];
    if (name === undefined) return [roff(line.trim())];
    return ['.TP', `.B ${quoted(name)}`, ...(text === '' ? [] : [roff(text)])];
  });
}

/** One block of help, between empty lines. */
function block(lines: readonly string[]): string[] {
  const [head = '', ...rest] = lines;
  if (/^Examples?:$/.test(head)) return ['.PP', roff(head), ...verbatim(rest)];
  if (head.endsWith(':') && rest.length > 0 && rest.every((line) => line.startsWith(' '))) {
    return ['.PP', `.B ${quoted(head)}`, ...list(rest)];
  }
  if (lines.every((line) => line.startsWith('  '))) return list(lines);
  return [
    '.PP',
    ...lines.flatMap((line) => [...(line.startsWith('Exit codes: ') ? ['.PP'] : []), roff(line.trim())]),
  ];
}

function blocksOf(text: string): string[][] {
  return text
    .trimEnd()
    .split(/\n{2,}/)
    .map((part) => part.split('\n'));
}

function section({ name, usage }: Command): string[] {
  const [synopsis = [], ...blocks] = blocksOf(usage);
  const calls = synopsis.map((line) => line.replace(/^Usage: | {7}/, ''));
  return [`.SS ${quoted(`ota ${name}`)}`, ...verbatim(calls), ...blocks.flatMap(block)];
}

function terms(entries: readonly (readonly [string, string])[]): string[] {
  return entries.flatMap(([name, text]) => ['.TP', `.B ${quoted(name)}`, roff(text.replaceAll('`', ''))]);
}

/** The page, for these commands. `date` is the day of the version: YYYY-MM-DD. */
export function manualPage(commands: readonly Command[], version: string, date: string): string {
  const order = exitOrder.filter((code) => code !== 0).join(', ');
  const lines = [
    `.TH OTA 1 ${quoted(date)} ${quoted(`ota ${version}`)} ${quoted('OTA client')}`,
    '.SH NAME',
    roff('ota - over-the-air updates for vehicles with many ECUs'),
    '.SH SYNOPSIS',
    '.B ota',
    '.I command',
    roff('[options]'),
    '.SH DESCRIPTION',
    roff(
      'Asks and tells the daemons of a vehicle, runs the daemon of this ECU, checks its configuration and',
    ),
    roff('makes images. Every command tells about itself with --help.'),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...terms(exitMeanings),
    '.PP',
    roff(`When several hold, the first of ${order} is taken.`),
    '.SH ENVIRONMENT',
    ...terms(environment),
    '.PP',
    roff('Every option of the daemon can be set by a variable too, such as OTA_LISTEN_PORT for listen.port.'),
    '.SH FILES',
    ...terms(files),
    '.SH SEE ALSO',
    roff('docs/cli.md and docs/operations.md of the package.'),
  ];
  return `${lines.join('\n')}\n`;
}
