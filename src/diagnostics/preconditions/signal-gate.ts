import type { DaemonOptions } from '#config/options.ts';
import { evaluate } from '#diagnostics/expression/evaluate.ts';
import { valuesSeen } from '#diagnostics/expression/explain.ts';
import type { SignalClock } from '#diagnostics/signals/clock.ts';
import type { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { conditionText } from '#domain/condition-words.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { type Expression, signalsIn } from '#domain/expression/syntax.ts';
import { type Gate, type GatePoint, gatePoints } from '#update/gate.ts';

type Options = DaemonOptions['preconditions'];
type Condition = Options['start'][number] & { readonly expression: Expression };

/** Values grow old without anybody saying so; and who reads the reasons wants them as they are now. */
const tickMs = 1000;

/**
 * The conditions of the options over the latest signals. What is missing or too old is not fulfilled, unless the condition
 * says otherwise.
 */
export class SignalGate implements Gate, Disposable {
  readonly waitMs: Gate['waitMs'];
  readonly holdsRollbacks: boolean;
  readonly #conditions: Readonly<Record<GatePoint, readonly Condition[]>>;
  readonly #paths: ReadonlySet<string>;
  readonly #store: SignalStore;
  readonly #clock: Pick<SignalClock, 'now'>;
  readonly #listeners = new Set<() => void>();
  readonly #close = new DisposableStack();
  #last = '';

  constructor(options: Options, store: SignalStore, clock: Pick<SignalClock, 'now'>) {
    this.waitMs = {
      start: options.startWaitMs,
      activation: options.activationWaitMs,
      reboot: options.rebootWaitMs,
    };
    this.holdsRollbacks = options.rollback;
    this.#store = store;
    this.#clock = clock;
    const parsed = (point: GatePoint): readonly Condition[] =>
      options[point].map((condition) => ({ ...condition, expression: parseExpression(condition.when) }));
    this.#conditions = {
      start: parsed('start'),
      activation: parsed('activation'),
      reboot: parsed('reboot'),
    };
    const all = Object.values(this.#conditions).flat();
    this.#paths = new Set(all.flatMap(({ expression }) => signalsIn(expression)));
    // An ECU without conditions pays nothing for them.
    if (all.length > 0) this.#watch();
  }

  unfulfilled(point: GatePoint): readonly string[] {
    return this.#conditions[point].flatMap((condition) => this.#reason(condition) ?? []);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#close.dispose();
    this.#listeners.clear();
  }

  #holds({ expression, maxAgeMs, missing }: Condition): boolean {
    const holds = evaluate(expression, { values: this.#store, now: this.#clock.now(), maxAgeMs });
    return holds ?? missing === 'allow';
  }

  #reason(condition: Condition): string | undefined {
    if (this.#holds(condition)) return undefined;
    const { name, when, describe, expression, maxAgeMs } = condition;
    const seen = valuesSeen(expression, { values: this.#store, now: this.#clock.now(), maxAgeMs });
    return conditionText(name, describe ?? when, seen);
  }

  #watch(): void {
    this.#close.defer(
      this.#store.subscribe((path) => {
        if (this.#paths.has(path)) this.#look(false);
      }),
    );
    const timer = setInterval(() => this.#look(true), tickMs).unref();
    this.#close.defer(() => clearInterval(timer));
  }

  /** Tells at once what is or is not fulfilled any more, and the values behind once per tick. Cheap: values come thickly. */
  #look(isTick: boolean): void {
    const verdicts = gatePoints.flatMap((point) =>
      this.#conditions[point].map((condition) => this.#holds(condition)),
    );
    const now = verdicts.join();
    if (now === this.#last && !(isTick && verdicts.includes(false))) return;
    this.#last = now;
    for (const listener of this.#listeners) listener();
  }
}
