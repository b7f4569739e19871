import type { CompletedCommand, CompletedOption, Wanted } from './completion-table.ts';

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Text inside the brackets and between the colons of _arguments. */
const plain = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&');

function action(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'file':
      return 'file:_files';
    case 'directory':
      return 'directory:_files -/';
    case 'ecu':
      return 'ECU:_ota_ecu_ids';
    case 'choice':
      return `word:(${wanted.words.join(' ')})`;
    case 'text':
      return 'value: ';
  }
}

/** An option may be given again: most that matter can. */
function optionSpecs({ name, short, value, about }: CompletedOption): string[] {
  const tail = `[${plain(about)}]${value === undefined ? '' : `:${action(value)}`}`;
  const long = quote(`*--${name}${value === undefined ? '' : '='}${tail}`);
  return short === undefined ? [long] : [long, quote(`*-${short}${tail}`)];
}

function commandCase(command: CompletedCommand): string {
  const operand = command.operand === undefined ? [] : [quote(`*:${action(command.operand)}`)];
  const specs = [...command.options.flatMap(optionSpecs), ...operand];
  return `    ${quote(command.words.join(' '))})
      _arguments -S \\
        ${specs.join(' \\\n        ')} ;;`;
}

/** A completion function for zsh: to be put as `_ota` into a directory of `fpath`, or to be sourced. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const firsts = new Map<string, string>();
  for (const { words, summary } of commands) {
    const [first = '', second] = words;
    firsts.set(first, second === undefined ? summary : `Commands: ota ${first} --help`);
  }
  const entry = (name: string, about: string): string => quote(`${name}:${about.replaceAll(':', '\\:')}`);
  const groups = [...firsts.keys()].filter((word) =>
    commands.some(({ words }) => words.length > 1 && words[0] === word),
  );
  const groupCases = groups.map((group) => {
    const members = commands.filter(({ words }) => words.length > 1 && words[0] === group);
    const entries = members.map(({ words, summary }) => entry(words[1] ?? '', summary));
    return `    ${quote(group)}) members=(${entries.join(' ')}) ;;`;
  });
  const top = [...firsts].map(([name, about]) => entry(name, about));
  return `#compdef ota
# zsh completion of ota, made by "ota completion zsh".

_ota_ecu_ids() {
  local -a ids
  ids=(\${(f)"$(_call_program ecus ota completion ecu-ids 2>/dev/null)"})
  compadd -a ids
}

_ota() {
  local -a members
  local command
  if (( CURRENT == 2 )); then
    members=(${[...top, entry('help', 'Show help')].join(' ')})
    _describe command members
    return
  fi
  command=$words[2]
  case $command in
${groupCases.join('\n')}
  esac
  if (( $#members )); then
    if (( CURRENT == 3 )); then
      _describe command members
      return
    fi
    command="$command $words[3]"
    shift words
    (( CURRENT-- ))
  fi
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join('\n')}
  esac
}

# Put into fpath it is called to complete; sourced it makes itself known.
if [[ $funcstack[1] == _ota ]]; then _ota "$@"; else compdef _ota ota; fi
`;
}
