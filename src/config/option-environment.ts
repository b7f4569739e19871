import type { ConfigProblem } from './config-error.ts';
import { type OptionEntry, optionList } from './option-list.ts';
import { setOption, type Values } from './option-values.ts';
import { schemaProblems } from './schema-problems.ts';
import { suggestion } from './suggestion.ts';
import { type KeyPath, keyName } from './yaml-source.ts';

/** The process's environment, always handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables with our prefix that are not options: they name the two files. */
export const fileVariables = { ecuInfo: 'OTA_ECU_INFO', options: 'OTA_OPTIONS' } as const;

/** Variables of the command line, which a daemon may be started with. */
const variablesOfClients = ['OTA_HOST', 'OTA_COOKIES'];

interface TakenEnvironment {
  /** Names of the options that were set. */
  readonly names: ReadonlySet<string>;
  readonly problems: readonly ConfigProblem[];
  readonly unknown: readonly ConfigProblem[];
}

/** Puts what the environment sets validly into `values`. */
export function takeEnvironment(env: Environment, values: Values): TakenEnvironment {
  const known = new Set<string>([
    ...optionList.map((option) => option.variable),
    ...Object.values(fileVariables),
    ...variablesOfClients,
  ]);
  const problems: ConfigProblem[] = [];
  const names = new Set<string>();
  for (const option of optionList) {
    const text = variableOf(option, env);
    if (text === undefined) continue;
    const value = option.schema.safeParse(text).success ? text : jsonOrText(text);
    const parsed = option.schema.safeParse(value);
    if (parsed.success) {
      setOption(values, option.path, value);
      names.add(option.name);
      continue;
    }
    for (const refusal of schemaProblems(parsed.error, value, () => option.secret)) {
      const key = refusal.path.length === 0 ? option.variable : `${option.variable}${itemName(refusal.path)}`;
      problems.push(inEnvironment(refusal.code, key, refusal.what, refusal.mend));
    }
  }
  const unknown = Object.keys(env)
    .filter((name) => name.startsWith('OTA_') && !known.has(name))
    .map((name) => inEnvironment('unknown_key', name, 'is not an option', suggestion(name)));
  return { names, problems, unknown };
}

/** A problem with a variable. */
export function inEnvironment(
  code: ConfigProblem['code'],
  key: string,
  what: string,
  mend: string,
): ConfigProblem {
  return { code, file: 'environment', line: undefined, column: undefined, key, what, mend };
}

/** Units of systemd and containers set variables to nothing when they mean "not set". */
function variableOf(option: OptionEntry, env: Environment): string | undefined {
  const text = env[option.variable];
  return text === undefined || text.trim() === '' ? undefined : text;
}

/** Numbers, true, false and lists are written as JSON; whatever is not JSON is text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function itemName(path: KeyPath): string {
  return typeof path[0] === 'number' ? keyName(path) : `.${keyName(path)}`;
}
