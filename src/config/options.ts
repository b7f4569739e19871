import type * as z from 'zod';
import { type ConfigError, type ConfigProblem, configError } from './config-error.ts';
import { readConfigFile } from './config-file.ts';
import { type Environment, inEnvironment, takeEnvironment } from './option-environment.ts';
import { isSecretOption, optionList } from './option-list.ts';
import { camelKeys, removeOption, unknownKeys, type Values, withoutNulls } from './option-values.ts';
import { optionsSchema } from './options-schema.ts';
import { schemaProblems, valueAt } from './schema-problems.ts';
import { sourceNeeds } from './source-options.ts';
import { suggestion } from './suggestion.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

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
  const set = whatIsSet(fromFile.values, file, fromEnv.names);
  const conflicts = relationProblems(fromFile.values, set, source);
  const problems = [...broken, ...fromFile.problems, ...fromEnv.problems, ...conflicts];
  const unknown = [...fromFile.unknown, ...fromEnv.unknown];
  return { options, problem: configError(problems), unknown, set };
}

interface Taken {
  readonly problems: ConfigProblem[];
  readonly unknown: ConfigProblem[];
}

/** What the file sets validly; the rest as problems. */
function takeFile(source: YamlSource): Taken & { readonly values: Values } {
  const values = withoutNulls(source.value);
  const unknown = unknownKeys(values).map((path) =>
    source.problem('unknown_key', path, 'is not an option', suggestion(path.join('.'))),
  );
  const { error } = optionsSchema.safeParse(values);
  if (error === undefined) return { values, problems: [], unknown };
  const found = schemaProblems(error, values, isSecretOption);
  for (const { path } of found) removeOption(values, path);
  return { values, problems: found.map((p) => source.problem(p.code, p.path, p.what, p.mend)), unknown };
}

/** What does not have its default; `fromVariables` names the options that the environment set. */
function whatIsSet(values: Values, file: string, fromVariables: ReadonlySet<string>): SetOption[] {
  return optionList.flatMap(({ name, path, secret, variable }) => {
    const value = valueAt(values, path);
    if (value === undefined) return [];
    const from = fromVariables.has(name) ? variable : file;
    return [{ name, value: secret ? '(not shown)' : JSON.stringify(value), from }];
  });
}

/** What must hold between options: the first at most the second. */
const notMoreThan = [
  ['children.poll_active_ms', 'children.poll_idle_ms'],
  ['download.backoff_base_ms', 'download.backoff_max_ms'],
  ['console.heartbeat_ms', 'console.idle_timeout_ms'],
] as const;

/** A certificate and its key mean something only with each other. */
const tlsNeeds = ['diagnostics.upload', 'diagnostics.collect'].flatMap((section) => {
  const [certificate, key] = [`${section}.certificate_file`, `${section}.key_file`];
  return [[certificate, key] as const, [key, certificate] as const];
});

function relationProblems(values: Values, set: readonly SetOption[], source: YamlSource | undefined) {
  const complete = optionsSchema.parse(values);
  const valueOf = (name: string): unknown => valueAt(complete, name.split('.'));
  const problem = (culprit: string, what: string, mend: string): ConfigProblem => {
    const variable = optionList.find(({ name }) => name === culprit)?.variable ?? culprit;
    const fromVariable = set.some(({ name, from }) => name === culprit && from === variable);
    return source === undefined || fromVariable
      ? inEnvironment('conflict', variable, what, mend)
      : source.problem('conflict', culprit.split('.'), what, mend);
  };
  const orders = notMoreThan.flatMap(([lower, upper]): ConfigProblem[] => {
    if (Number(valueOf(lower)) <= Number(valueOf(upper))) return [];
    const [culprit, other] = set.some(({ name }) => name === lower) ? [lower, upper] : [upper, lower];
    const what = `is ${String(valueOf(culprit))}, but ${other} is ${String(valueOf(other))}`;
    return [problem(culprit, what, `make ${lower} at most ${upper}`)];
  });
  const needs = [...sourceNeeds, ...tlsNeeds].flatMap(([name, needed]): ConfigProblem[] => {
    const [value, other] = [valueOf(name), valueOf(needed)];
    const isSet = value !== false && set.some((one) => one.name === name);
    if (!isSet || (other !== undefined && other !== false)) return [];
    return [problem(name, `means nothing without ${needed}`, `set ${needed}, or remove this`)];
  });
  return [...orders, ...needs];
}

function withProblems(problems: readonly ConfigProblem[], result: OptionsResult): OptionsResult {
  return { ...result, problem: configError([...problems, ...(result.problem?.problems ?? [])]) };
}
