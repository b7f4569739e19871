import type { CompletedCommand, CompletedOption, Wanted } from './completion-table.ts';

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** How fish is told what stands there; files need nothing else than that nobody forbids them. */
function argument(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'file':
      return '-rF';
    case 'directory':
      return `-x -a '(__fish_complete_directories)'`;
    case 'ecu':
      return `-x -a '(ota completion ecu-ids 2>/dev/null)'`;
    case 'choice':
      return `-x -a ${quote(wanted.words.join(' '))}`;
    case 'text':
      return '-x';
  }
}

function optionLine(using: string, { name, short, value, about }: CompletedOption): string {
  const letter = short === undefined ? '' : ` -s ${short}`;
  const takes = value === undefined ? '' : ` ${argument(value)}`;
  return `complete -c ota -n ${using} -l ${name}${letter}${takes} -d ${quote(about)}`;
}

function commandLines(command: CompletedCommand): string[] {
  const [first = '', second] = command.words;
  const using = quote(`__ota_using ${command.words.join(' ')}`);
  const place = second === undefined ? '__ota_using' : `__ota_using ${first}`;
  const operand = command.operand;
  return [
    `complete -c ota -n ${quote(place)} -a ${second ?? first} -d ${quote(command.summary)}`,
    ...command.options.map((option) => optionLine(using, option)),
    ...(operand === undefined
      ? []
      : [
          `complete -c ota -n ${using} ${argument(operand).replace(/^-[rx]+(F?)/, (_, file) => (file === 'F' ? '-F' : '-f'))}`,
        ]),
  ];
}

/** A completion script for fish. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const groups = new Set(commands.flatMap(({ words }) => (words.length > 1 ? [words[0] ?? ''] : [])));
  return `# fish completion of ota, made by "ota completion fish".

# Whether the words before the one that is completed name exactly this command.
function __ota_using
    set -l words (commandline -opc)[2..]
    set -l named
    for word in $words
        string match -q -- '-*' $word; and break
        set -a named $word
        test (count $named) -eq 2; and break
    end
    # Behind a command of one word come operands.
    if test (count $argv) -eq 1; and test (count $named) -eq 2; and not contains -- $named[1] ${[...groups].join(' ')}
        set named $named[1]
    end
    test "$named" = "$argv"
end

complete -c ota -f
complete -c ota -n __ota_using -l help -s h -d 'Show help'
complete -c ota -n __ota_using -l version -s V -d 'Show the version'
${[...groups].map((group) => `complete -c ota -n __ota_using -a ${group} -d ${quote(`Commands: ota ${group} --help`)}`).join('\n')}
${commands.flatMap(commandLines).join('\n')}
`;
}
