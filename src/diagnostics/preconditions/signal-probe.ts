import { evaluate } from '#diagnostics/expression/evaluate.ts';
import { valuesSeen } from '#diagnostics/expression/explain.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import type { LatestValues } from '#diagnostics/signals/signal-value.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import type { SignalProbe } from '#update/health/probe.ts';

/** Judges a health check of kind `signal` by the latest values. What is missing or too old does not pass. */
export function signalProbe(values: LatestValues, clock: Pick<SignalClock, 'now'>): SignalProbe {
  return ({ when, maxAgeMs }) => {
    const expression = parseExpression(when);
    const context = { values, now: clock.now(), maxAgeMs };
    const holds = evaluate(expression, context);
    if (holds === true) return undefined;
    const how = holds === false ? 'is not fulfilled' : 'cannot be judged: values are missing or too old';
    return { how, output: valuesSeen(expression, context) };
  };
}
