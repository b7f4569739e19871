import type { ConfigProblem } from '#config/config-error.ts';
import type { KeyPath, YamlSource } from '#config/yaml-source.ts';
import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';
import { type Expression, type Operand, signalsIn } from '#domain/expression/syntax.ts';
import type { Campaign, Trigger } from './campaign.ts';

export interface CatalogCheck {
  /** Datatypes of all signals that the vehicle has. */
  readonly datatypes: ReadonlyMap<string, VssDatatype>;
  /** A known path that was probably meant. */
  readonly suggest: (path: string, known: readonly string[]) => string | undefined;
  /** A problem with what stands at a place of the campaign's file. */
  readonly problem: YamlSource['problem'];
}

/** Signals of our own: in no catalog, and there all the same. */
const ownRoot = 'Vehicle.OTA.';

/** What of a campaign does not fit the signals of a vehicle: unknown paths, and datatypes that cannot do what is asked. */
export function checkSignals(campaign: Campaign, check: CatalogCheck): ConfigProblem[] {
  const { datatypes, problem } = check;
  const problems: ConfigProblem[] = [];
  const wrong = (at: KeyPath, what: string, mend: string): void => {
    problems.push(problem('value_invalid', at, what, mend));
  };
  /** The datatype of a signal; undefined, and told, when there is no such signal. */
  const datatypeAt = (path: string, at: KeyPath): VssDatatype | undefined => {
    const datatype = datatypes.get(path);
    if (datatype === undefined && !path.startsWith(ownRoot)) wrong(at, ...unknown(path, check));
    return datatype;
  };
  campaign.signals.forEach(({ path, sampling }, i) => {
    const datatype = datatypeAt(path, ['signals', i, 'path']);
    if (datatype === undefined || isNumeric(datatype)) return;
    if (sampling.mode === 'window') {
      const what = `is window, but ${path} is ${datatype}`;
      wrong(['signals', i, 'mode'], what, 'write every, on_change or periodic: only numbers have a mean');
    }
    if (sampling.mode === 'on_change' && (sampling.deadBand > 0 || sampling.deadBandPercent > 0)) {
      const key = sampling.deadBand > 0 ? 'dead_band' : 'dead_band_percent';
      wrong(
        ['signals', i, key],
        `is set, but ${path} is ${datatype}`,
        'take it out: only numbers have distances',
      );
    }
  });
  campaign.triggers.forEach((trigger, i) => {
    checkCause(trigger, ['triggers', i], datatypeAt, wrong);
    trigger.snapshot?.forEach((path, n) => datatypeAt(path, ['triggers', i, 'snapshot', n]));
  });
  return problems;
}

type DatatypeAt = (path: string, at: KeyPath) => VssDatatype | undefined;
type Wrong = (at: KeyPath, what: string, mend: string) => void;

function unknown(path: string, { datatypes, suggest }: CatalogCheck): [string, string] {
  const known = [...datatypes.keys()];
  const [below] = known.filter((one) => one.startsWith(`${path}.`));
  if (below !== undefined)
    return [`is the branch ${path}, not a signal`, `name a signal in it, such as ${below}`];
  const near = suggest(path, known);
  return [
    `names ${path}, which the catalog does not have`,
    near === undefined ? 'name a signal of the catalog' : `did you mean ${near}?`,
  ];
}

function checkCause({ cause }: Trigger, at: KeyPath, datatypeAt: DatatypeAt, wrong: Wrong): void {
  if (cause.on === 'trouble_codes') {
    const datatype = datatypeAt(cause.path, [...at, 'path']);
    if (datatype !== undefined && datatype !== 'string[]')
      wrong([...at, 'path'], `names ${cause.path}, which is ${datatype}`, 'name a signal that is string[]');
  }
  if (cause.on !== 'condition') return;
  const place = [...at, 'when'];
  const datatypes = new Map(signalsIn(cause.when).map((path) => [path, datatypeAt(path, place)]));
  for (const complaint of mismatches(cause.when, (path) => datatypes.get(path)))
    wrong(place, complaint, 'correct the condition there');
}

/** Parts of a condition that are unknown for ever, whatever the values are. */
function* mismatches(
  expression: Expression,
  datatypeOf: (path: string) => VssDatatype | undefined,
): Generator<string> {
  switch (expression.kind) {
    case 'and':
    case 'or':
      for (const term of expression.terms) yield* mismatches(term, datatypeOf);
      break;
    case 'not':
      yield* mismatches(expression.term, datatypeOf);
      break;
    case 'truth': {
      const datatype = datatypeOf(expression.path);
      if (datatype !== undefined && datatype !== 'boolean')
        yield `takes ${expression.path} for true or false, but it is ${datatype}`;
      break;
    }
    case 'empty': {
      const datatype = datatypeOf(expression.path);
      if (datatype !== undefined && !datatype.endsWith('[]'))
        yield `asks whether ${expression.path} is empty, but it is no list: ${datatype}`;
      break;
    }
    case 'known':
      break;
    case 'compare': {
      const [left, right] = [expression.left, expression.right].map((one) => kindOf(one, datatypeOf));
      if (left === undefined || right === undefined) break;
      if (left === 'list' || right === 'list') yield 'compares a list: only empty() and known() take one';
      else if (left !== right) yield `compares ${left} with ${right}`;
      else if (left !== 'number' && expression.by !== '==' && expression.by !== '!=')
        yield `compares by ${expression.by} what are no numbers`;
      break;
    }
  }
}

type Kind = 'number' | 'truth' | 'text' | 'list';

function kindOf(operand: Operand, datatypeOf: (path: string) => VssDatatype | undefined): Kind | undefined {
  if (operand.kind === 'literal') {
    return typeof operand.value === 'number'
      ? 'number'
      : typeof operand.value === 'boolean'
        ? 'truth'
        : 'text';
  }
  const datatype = datatypeOf(operand.path);
  if (datatype === undefined) return undefined;
  if (datatype.endsWith('[]')) return 'list';
  return datatype === 'boolean' ? 'truth' : datatype === 'string' ? 'text' : 'number';
}

function isNumeric(datatype: VssDatatype): boolean {
  return !datatype.endsWith('[]') && datatype !== 'boolean' && datatype !== 'string';
}
