/** Why a configuration file or variable is refused. Closed; nobody compares messages. */
export type ConfigErrorCode =
  // the file
  | 'file_missing'
  | 'file_unreadable'
  | 'file_too_large'
  | 'file_not_utf8'
  | 'file_empty'
  | 'yaml_invalid'
  | 'not_a_mapping'
  // a value
  | 'value_missing'
  | 'value_invalid'
  | 'too_many'
  | 'duplicate'
  | 'self_as_secondary'
  | 'conflict'
  | 'unknown_key';

/** One thing that is wrong, and what to do about it. Holds no secrets. */
export interface ConfigProblem {
  readonly code: ConfigErrorCode;
  /** The file as it was named, or `environment`. */
  readonly file: string;
  /** Counted from 1; undefined where a line makes no sense, such as for a missing file. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** The key with its path, such as `secondaries[0].port`, or the variable's name; empty for the file itself. */
  readonly key: string;
  readonly what: string;
  readonly mend: string;
}

/** `file:line: key what; mend`, in one line. */
export function formatProblem(problem: Omit<ConfigProblem, 'code'>): string {
  const line = problem.line === undefined ? '' : `:${problem.line}`;
  const key = problem.key === '' ? '' : `${problem.key} `;
  return `${problem.file}${line}: ${key}${problem.what}; ${problem.mend}`;
}

/** A configuration is refused: every problem that was found in it. `code` is the first problem's. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly [ConfigProblem, ...ConfigProblem[]]) {
    super(problems.map(formatProblem).join('\n'));
    this.code = problems[0].code;
    this.problems = problems;
  }
}

/** The error that holds `problems`; undefined when there are none. */
export function configError(problems: readonly ConfigProblem[]): ConfigError | undefined {
  const [first, ...others] = problems;
  return first === undefined ? undefined : new ConfigError([first, ...others]);
}
