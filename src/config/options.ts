import type * as z from 'zod';
import { type ConfigError, type ConfigProblem, configError } from './config-error.ts';
import { readConfigFile } from './config-file.ts';
import { isSecretOption, type OptionEntry, optionList } from './option-list.ts';
import { optionsSchema } from './options-schema.ts';
import { schemaProblems } from './schema-problems.ts';
import { suggestion } from './suggestion.ts';
import { type KeyPath, keyName, parseYaml, type YamlSource } from './yaml-source.ts';

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

type Options<T> = T extends readonly (infer Item)[]
  ? readonly Options<Item>[]
  : T extends object
    ? { readonly [K in keyof T as K extends string ? CamelCase<K> : K]: Options<T[K]> }
    : T;

/** The daemon's options, complete and frozen: `download.proxy_url` of the file is `download.proxyUrl` here. */
export type DaemonOptions = Options<z.output<typeof optionsSchema>>;

/** The process's environment, always handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Options of the daemon and what is wrong with them. */
export interface OptionsResult {
  /** Complete: an option whose value is refused has its default, all others are as they were set. */
  readonly options: DaemonOptions;
  /** Set when any value was refused: the daemon then serves Status, says so there and refuses updates. */
  readonly problem: ConfigError | undefined;
  /** Keys and variables that no option has: ignored, since a newer release may know them, but most are typing errors. */
  readonly unknown: readonly ConfigProblem[];
  /** The options that do not have their default. */
  readonly set: readonly SetOption[];
}

/** An option, its value for people (not shown if secret), and the file or variable that set it. */
export interface SetOption {
  readonly name: string;
  readonly value: string;
  readonly from: string;
}

/** Variables with our prefix that are not options: they name the two files. */
export const fileVariables = { ecuInfo: 'OTA_ECU_INFO', options: 'OTA_OPTIONS' } as const;

/** Reads `ota.yml`, if there is one, and the environment, which wins. Never throws for what it finds in them. */
export async function readOptions(file: string | undefined, env: Environment): Promise<OptionsResult> {
  if (file === undefined) return parseOptions(undefined, '', env);
  const read = await readConfigFile(file);
  if (read.ok) return parseOptions(read.text, file, env);
  return withProblems([read.problem], parseOptions(undefined, '', env));
}

/** Like `readOptions`, from the file's text; `file` is only named in problems. */
export function parseOptions(text: string | undefined, file: string, env: Environment): OptionsResult {
  const yaml = text === undefined ? undefined : parseYaml(text, file);
  const source = yaml?.ok === true ? yaml.source : undefined;
  // A file of nothing but comments sets nothing.
  const broken = yaml?.ok === false ? yaml.problems.filter(({ code }) => code !== 'file_empty') : [];
  const fromFile = source === undefined ? { values: {}, problems: [], unknown: [] } : takeFile(source);
  const fromEnv = takeEnvironment(env, fromFile.values);
  const options = camelKeys(optionsSchema.parse(fromFile.values)) as DaemonOptions;
  const origin = (option: OptionEntry) => originOf(option, env, source);
  const problems = [
    ...broken,
    ...fromFile.problems,
    ...fromEnv.problems,
    ...relationProblems(options, origin),
  ];
  const unknown = [...fromFile.unknown, ...fromEnv.unknown];
  return { options, problem: configError(problems), unknown, set: whatIsSet(fromFile.values, file, env) };
}

type Values = Record<string, unknown>;

interface Taken {
  readonly problems: ConfigProblem[];
  readonly unknown: ConfigProblem[];
}

/** What the file sets validly; the rest as problems. */
function takeFile(source: YamlSource): Taken & { readonly values: Values } {
  // A section or option without a value (`download:` above nothing but comments) sets nothing.
  const values = withoutNulls(source.value);
  const unknown = unknownKeys(values, []).map((path) =>
    source.problem('unknown_key', path, 'is not an option', suggestion(path.join('.'))),
  );
  const { error } = optionsSchema.safeParse(values);
  if (error === undefined) return { values, problems: [], unknown };
  const found = schemaProblems(error, values, isSecretOption);
  for (const { path } of found) removeOption(values, path);
  return { values, problems: found.map((p) => source.problem(p.code, p.path, p.what, p.mend)), unknown };
}

/** Puts what the environment sets validly into `values`. */
function takeEnvironment(env: Environment, values: Values): Taken {
  const known = new Set<string>([...optionList.map((o) => o.variable), ...Object.values(fileVariables)]);
  const problem = (code: ConfigProblem['code'], key: string, what: string, mend: string): ConfigProblem => {
    return { code, file: 'environment', line: undefined, column: undefined, key, what, mend };
  };
  const problems: ConfigProblem[] = [];
  for (const option of optionList) {
    const text = variableOf(option, env);
    if (text === undefined) continue;
    const value = option.schema.safeParse(text).success ? text : jsonOrText(text);
    const parsed = option.schema.safeParse(value);
    if (parsed.success) {
      setOption(values, option.path, value);
      continue;
    }
    for (const refusal of schemaProblems(parsed.error, value, () => option.secret)) {
      const key = refusal.path.length === 0 ? option.variable : `${option.variable}${itemName(refusal.path)}`;
      problems.push(problem(refusal.code, key, refusal.what, refusal.mend));
    }
  }
  const unknown = Object.keys(env)
    .filter((name) => name.startsWith('OTA_') && !known.has(name))
    .map((name) => problem('unknown_key', name, 'is not an option', suggestion(name)));
  return { problems, unknown };
}

function whatIsSet(values: Values, file: string, env: Environment): SetOption[] {
  return optionList.flatMap((option) => {
    const value = option.path.reduce<unknown>((at, key) => (isSection(at) ? at[key] : undefined), values);
    if (value === undefined) return [];
    const from = variableOf(option, env) === undefined ? file : option.variable;
    return [
      { name: option.path.join('.'), value: option.secret ? '(not shown)' : JSON.stringify(value), from },
    ];
  });
}

/** What must hold between options. */
function relationProblems(
  options: DaemonOptions,
  origin: (option: OptionEntry) => Pick<ConfigProblem, 'file' | 'line' | 'column' | 'key'>,
): ConfigProblem[] {
  const { children, download } = options;
  const rules = [
    ['children.poll_active_ms', children.pollActiveMs, 'children.poll_idle_ms', children.pollIdleMs],
    ['download.backoff_base_ms', download.backoffBaseMs, 'download.backoff_max_ms', download.backoffMaxMs],
  ] as const;
  return rules.flatMap(([lower, low, upper, high]) => {
    const option = optionList.find(({ path }) => path.join('.') === lower);
    if (low <= high || option === undefined) return [];
    const what = `is ${low}, more than ${upper}, which is ${high}`;
    return [{ ...origin(option), code: 'conflict' as const, what, mend: 'lower the one or raise the other' }];
  });
}

/** Where an option was set. */
function originOf(option: OptionEntry, env: Environment, source: YamlSource | undefined) {
  const fromEnv = variableOf(option, env) !== undefined || source === undefined;
  return fromEnv
    ? { file: 'environment', line: undefined, column: undefined, key: option.variable }
    : source.problem('conflict', option.path, '', '');
}

function withProblems(problems: readonly ConfigProblem[], result: OptionsResult): OptionsResult {
  return { ...result, problem: configError([...problems, ...(result.problem?.problems ?? [])]) };
}

function withoutNulls(values: Values): Values {
  const kept = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(
    kept.map(([key, value]) => [key, isSection(value) ? withoutNulls(value) : value]),
  );
}

function isSection(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownKeys(values: Values, path: readonly string[]): string[][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const here = [...path, key];
    const inside = optionList.filter((option) => here.every((part, at) => option.path[at] === part));
    if (inside.length === 0) return [here];
    const isOption = inside.some((option) => option.path.length === here.length);
    return !isOption && isSection(value) ? unknownKeys(value, here) : [];
  });
}

function setOption(values: Values, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) values[key] = value;
  else {
    const section = values[key];
    values[key] = isSection(section) ? section : {};
    setOption(values[key] as Values, rest, value);
  }
}

/** Takes out the whole option that a problem lies in, so that it gets its default. */
function removeOption(values: Values, path: KeyPath): void {
  const [key, ...rest] = path;
  if (typeof key !== 'string') return;
  const inner = values[key];
  if (rest.length > 0 && isSection(inner)) removeOption(inner, rest);
  else delete values[key];
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

function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(camelKeys));
  if (!isSection(value)) return value;
  const camel = (key: string) => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, v]) => [camel(key), camelKeys(v)])),
  );
}
