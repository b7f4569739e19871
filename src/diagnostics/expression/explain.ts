import type { VssValue } from '#diagnostics/messages/vss-value.ts';
import type { Expression } from '#domain/expression/syntax.ts';
import { signalsIn } from '#domain/expression/syntax.ts';
import type { EvaluationContext } from './evaluate.ts';

/** A reason with more signals in it is read by nobody. */
const maxSignals = 8;
const maxValueChars = 60;

/** The values that an expression rests on: `Vehicle.Speed is 42, 0.1 s old; Vehicle.IsMoving has no value`. */
export function valuesSeen(expression: Expression, context: EvaluationContext): string {
  const paths = signalsIn(expression);
  if (paths.length === 0) return 'no signal is asked';
  const seen = paths.slice(0, maxSignals).map((path) => valueSeen(path, context));
  return [...seen, ...(paths.length > maxSignals ? ['…'] : [])].join('; ');
}

function valueSeen(path: string, { values, now, maxAgeMs }: EvaluationContext): string {
  const latest = values.latest(path);
  if (latest === undefined) return `${path} has no value`;
  const ageMs = Math.max(0, now - latest.receivedAt + (latest.olderMs ?? 0));
  const words = `${path} is ${show(latest.value)}, ${seconds(ageMs)} old`;
  return ageMs > maxAgeMs ? `${words}, which is too old` : words;
}

/** Texts may be of any length and hold any character. */
function show(value: VssValue): string {
  const text = Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
  // Brackets are those of the text around it.
  const plain = text
    .replace(/\p{Cc}/gu, '?')
    .replace(/[()]/g, '|')
    .toWellFormed();
  return plain.length > maxValueChars ? `${plain.slice(0, maxValueChars)}…` : plain;
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
