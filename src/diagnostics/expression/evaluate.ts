import type { VssScalar } from '#diagnostics/messages/vss-value.ts';
import type { LatestValues } from '#diagnostics/signals/signal-value.ts';
import type { Comparison, Expression, Operand } from '#domain/expression/syntax.ts';

/** What an evaluation rests on. */
export interface EvaluationContext {
  readonly values: LatestValues;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
  /** A value that came in longer ago counts as unknown, in milliseconds. */
  readonly maxAgeMs: number;
}

/**
 * Whether a condition holds; undefined when that cannot be told, because a signal is missing, stale or of another type.
 * Unknown spreads as in SQL: `false and unknown` is false, `true or unknown` is true, everything else is unknown.
 */
export function evaluate(expression: Expression, context: EvaluationContext): boolean | undefined {
  switch (expression.kind) {
    case 'and':
      return combine(expression.terms, context, false);
    case 'or':
      return combine(expression.terms, context, true);
    case 'not': {
      const inner = evaluate(expression.term, context);
      return inner === undefined ? undefined : !inner;
    }
    case 'truth': {
      const value = fresh(expression.path, context);
      return typeof value === 'boolean' ? value : undefined;
    }
    case 'empty': {
      const value = freshValue(expression.path, context);
      return Array.isArray(value) ? value.length === 0 : undefined;
    }
    case 'known':
      return freshValue(expression.path, context) !== undefined;
    case 'compare':
      return compare(expression.by, operand(expression.left, context), operand(expression.right, context));
  }
}

/** `decisive` alone settles it: false for `and`, true for `or`. */
function combine(
  terms: readonly Expression[],
  context: EvaluationContext,
  decisive: boolean,
): boolean | undefined {
  let result: boolean | undefined = !decisive;
  for (const term of terms) {
    const one = evaluate(term, context);
    if (one === decisive) return decisive;
    if (one === undefined) result = undefined;
  }
  return result;
}

function operand(part: Operand, context: EvaluationContext): VssScalar | undefined {
  return part.kind === 'literal' ? part.value : fresh(part.path, context);
}

function fresh(path: string, context: EvaluationContext): VssScalar | undefined {
  const value = freshValue(path, context);
  return typeof value === 'object' ? undefined : value;
}

function freshValue(path: string, { values, now, maxAgeMs }: EvaluationContext) {
  const latest = values.latest(path);
  if (latest === undefined) return undefined;
  return now - latest.receivedAt + (latest.olderMs ?? 0) > maxAgeMs ? undefined : latest.value;
}

/** Numbers with numbers (exact, whatever their width), texts and booleans with their own kind for equality only. */
function compare(
  by: Comparison,
  left: VssScalar | undefined,
  right: VssScalar | undefined,
): boolean | undefined {
  if (left === undefined || right === undefined) return undefined;
  const numeric = isNumber(left) && isNumber(right);
  if (!numeric && typeof left !== typeof right) return undefined;
  if (Number.isNaN(left) || Number.isNaN(right)) return undefined;
  switch (by) {
    case '==':
      // Loosely: 1 and 1n are the same number, and the types were checked.
      return left == right;
    case '!=':
      return left != right;
    case '<':
      return numeric ? left < right : undefined;
    case '<=':
      return numeric ? left <= right : undefined;
    case '>':
      return numeric ? left > right : undefined;
    case '>=':
      return numeric ? left >= right : undefined;
  }
}

function isNumber(value: VssScalar): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
