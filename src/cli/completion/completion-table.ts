import type { Command } from '#cli/command.ts';

/** What is completed behind an option, or in the place of an operand. */
export type Wanted =
  | { readonly kind: 'file' | 'directory' | 'ecu' | 'text' }
  | { readonly kind: 'choice'; readonly words: readonly string[] };

export interface CompletedOption {
  /** Without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short: string | undefined;
  /** Undefined when it takes no value. */
  readonly value: Wanted | undefined;
  /** One line, from the help. */
  readonly about: string;
}

export interface CompletedCommand {
  /** The words that call it: one or two. */
  readonly words: readonly string[];
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What stands behind it without an option; undefined when nothing does. */
  readonly operand: Wanted | undefined;
}

const byMetavariable: Readonly<Record<string, Wanted>> = {
  FILE: { kind: 'file' },
  DIR: { kind: 'directory' },
  ID: { kind: 'ecu' },
};

/** What shells have to know of the commands, from their own tables of options and from what their help says. */
export function completionTable(commands: readonly Command[]): CompletedCommand[] {
  return commands.map((command) => ({
    words: command.name.split(' '),
    summary: command.summary,
    options: [...optionsOf(command), help],
    operand: operandOf(command),
  }));
}

const help: CompletedOption = { name: 'help', short: 'h', value: undefined, about: 'Show this help' };

function optionsOf({ options, usage, choices = {} }: Command): CompletedOption[] {
  return Object.entries(options).map(([name, { type, short }]) => {
    const { metavariable, about } = helpOf(name, usage);
    const words = choices[name];
    const value: Wanted =
      words === undefined ? (byMetavariable[metavariable] ?? { kind: 'text' }) : { kind: 'choice', words };
    return { name, short, about, value: type === 'boolean' ? undefined : value };
  });
}

/** What the help says about an option: the name of its value, and the first line of the text. */
function helpOf(name: string, usage: string): { readonly metavariable: string; readonly about: string } {
  const line = new RegExp(`^ {2}--${name}(?:, -\\w)?(?: (\\S+))?(?:\\n? {2,}(.*))?$`, 'm').exec(usage);
  const [, metavariable = '', about = ''] = line ?? [];
  return { metavariable: metavariable.replace(/\[.*/, ''), about: about.replace(/[:;,]$/, '') };
}

/** Words of its own, else files or directories where the usage ends with such a name. */
function operandOf({ usage, words }: Command): Wanted | undefined {
  if (words !== undefined) return { kind: 'choice', words };
  const line = usage.slice(0, usage.indexOf('\n'));
  const last = /([A-Z]+)(?:\.\.\.)?$/.exec(line.replace(/--\S+ [A-Z]+/g, ''))?.[1];
  if (last === 'FILE') return { kind: 'file' };
  return ['DIR', 'IMAGE', 'OUTPUT'].includes(last ?? '') ? { kind: 'file' } : undefined;
}
