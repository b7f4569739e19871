import { evaluate } from '#diagnostics/expression/evaluate.ts';
import type { LatestValues } from '#diagnostics/signals/signal-value.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { signalsIn } from '#domain/expression/syntax.ts';

/** A signal that was silent for longer is unknown. */
const maxAgeMs = 24 * 3600 * 1000;

/** When uploads may run. */
export interface UploadGate {
  /** Signals that it depends on. */
  readonly paths: readonly string[];
  /** Why nothing may be sent now, for people; undefined when it may. */
  readonly why: () => string | undefined;
}

/** Errors: those of `parseExpression`, for a condition that cannot be read. */
export function uploadGate(source: {
  /** Of signals; unknown is not fulfilled. */
  readonly condition: string | undefined;
  readonly values: LatestValues;
  readonly now: () => number;
  readonly needsLink: () => boolean;
}): UploadGate {
  const { condition, values, now, needsLink } = source;
  const expression = condition === undefined ? undefined : parseExpression(condition);
  return {
    paths: expression === undefined ? [] : [...signalsIn(expression)],
    why: () => {
      if (needsLink()) return 'an update needs the link';
      if (expression === undefined || evaluate(expression, { values, now: now(), maxAgeMs }) === true)
        return undefined;
      return `diagnostics.upload.when is not fulfilled: ${condition}`;
    },
  };
}
