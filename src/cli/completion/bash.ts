import type { CompletedCommand, CompletedOption, Wanted } from './completion-table.ts';

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What fills COMPREPLY. */
function reply(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'file':
      return '_ota_files -f';
    case 'directory':
      return '_ota_files -d';
    case 'ecu':
      return '_ota_words "$("$program" completion ecu-ids 2>/dev/null)"';
    case 'choice':
      return `_ota_words ${quote(wanted.words.join(' '))}`;
    case 'text':
      return ':';
  }
}

function spellings({ name, short }: CompletedOption): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

function valueCases(command: CompletedCommand): string[] {
  const name = command.words.join(' ');
  return command.options.flatMap((option) => {
    if (option.value === undefined) return [];
    const patterns = spellings(option).map((spelling) => quote(`${name} ${spelling}`));
    return [`    ${patterns.join(' | ')}) ${reply(option.value)}; return ;;`];
  });
}

function commandCase(command: CompletedCommand): string {
  const options = command.options.flatMap(spellings).join(' ');
  const operand = command.operand === undefined ? ':' : reply(command.operand);
  return `    ${quote(command.words.join(' '))})
      if [[ $cur == -* ]]; then _ota_words ${quote(options)}; else ${operand}; fi ;;`;
}

/** A completion script for bash 4.4 and later; needs no other package. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const first = [...new Set(commands.map(({ words }) => words[0] ?? ''))];
  const groups = first.filter((word) => commands.some(({ words }) => words.length > 1 && words[0] === word));
  const groupCases = groups.map((group) => {
    const members = commands.flatMap(({ words }) => (words[0] === group ? (words[1] ?? []) : []));
    return `    ${quote(group)}) _ota_words ${quote([...members, '--help'].join(' '))} ;;`;
  });
  const names = commands.map(({ words }) => quote(words.join(' ')));
  return `# bash completion of ota, made by "ota completion bash".

_ota_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_ota_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_ota() {
  local program=\${COMP_WORDS[0]} cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local command='' known index
  COMPREPLY=()
  # "--option=value" comes as three words.
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((index = 1; index < COMP_CWORD && index < 3; index++)); do
    known=\${COMP_WORDS[index]}
    [[ $known == -* ]] && break
    case "$command\${command:+ }$known" in
      ${[...groups.map(quote), ...names].join(' | ')}) command="$command\${command:+ }$known" ;;
    esac
  done
  case "$command $prev" in
${commands.flatMap(valueCases).join('\n')}
  esac
  case "$command" in
    '') _ota_words ${quote([...first, 'help', '--help', '--version'].join(' '))} ;;
${groupCases.join('\n')}
${commands.map(commandCase).join('\n')}
  esac
}

complete -F _ota ota
`;
}
