import type { EcuId } from '#domain/ecu.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import { awaitNews } from './await-news.ts';
import { childBudget, withinBudget } from './call-budget.ts';
import { ChildEcuError } from './child-ecu-error.ts';
import type { CallContext, ChildEcu, EcuAnswer } from './ecu.ts';
import { type Answers, type ChildOutcome, refusal } from './merge-answers.ts';
import type { Route } from './route.ts';
import type { StatusStore } from './status-store.ts';

/** One kind of request: how a child is asked, and how the own ECU. */
export interface Ask {
  readonly name: 'Update' | 'ClientUpdate' | 'Rollback' | 'Abort';
  readonly child: (child: ChildEcu, call: CallContext) => Promise<readonly EcuAnswer[]>;
  readonly own: () => EcuAnswer | Promise<EcuAnswer>;
  /** When the own ECU takes longer than the caller waits. */
  readonly ownLate: (ecuId: EcuId) => EcuAnswer;
}

export interface FanOutOptions {
  readonly children: readonly ChildEcu[];
  readonly store: StatusStore;
  readonly log: Log;
  /** Longest time for the answer of a child, in milliseconds; less when the caller has less. */
  readonly childRequestTimeoutMs: number;
}

/** Timers of Node fire at once beyond this. */
const maxTimerMs = 2 ** 31 - 1;

/** Longest wait for a child to show in its status what it accepted. */
const newsLimitMs = 500;

/** Asks the own ECU and all children on a route, side by side. Never rejects: who fails, fails for itself. */
export class FanOut {
  readonly #options: FanOutOptions;

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  async ask(route: Route, call: CallContext, ask: Ask): Promise<Answers> {
    const { children, store } = this.#options;
    const asked = children.filter(({ id }) => route.through.has(id));
    const [own, outcomes] = await Promise.all([
      route.includesOwn ? this.#askOwn(store.ownId, call, ask) : undefined,
      Promise.all(asked.map(async (child) => [child.id, await this.#askChild(child, call, ask)] as const)),
    ]);
    return { own, children: new Map(outcomes) };
  }

  async #askOwn(ownId: EcuId, call: CallContext, ask: Ask): Promise<EcuAnswer> {
    const budgetMs = childBudget(call.budgetMs, maxTimerMs);
    try {
      const answer = Promise.resolve(ask.own());
      return await withinBudget(answer, { ...call, budgetMs }, () => ask.ownLate(ownId));
    } catch (error) {
      this.#options.log.error({ err: error }, `${ask.name} failed unexpectedly on this ECU`);
      return refusal(ownId, new OtaFailure('unspecific', `${ask.name} failed`).reason);
    }
  }

  async #askChild(child: ChildEcu, call: CallContext, ask: Ask): Promise<ChildOutcome> {
    const begun = performance.now();
    const budgetMs = childBudget(call.budgetMs, this.#options.childRequestTimeoutMs);
    try {
      if (budgetMs === 0) throw new ChildEcuError(child.id, 'deadline');
      const said = await ask.child(child, { signal: call.signal, budgetMs });
      const answers = said.filter(({ ecuId }) => this.#mayAnswerFor(child.id, ecuId));
      const left = childBudget(call.budgetMs - (performance.now() - begun), newsLimitMs);
      await this.#noteAccepted(child.id, answers, ask, { signal: call.signal, budgetMs: left });
      return { answers };
    } catch (error) {
      return { error: this.#failureOf(child.id, ask, error) };
    }
  }

  /** From now on what was accepted counts as work; and Status shows it right after the request is answered. */
  async #noteAccepted(
    child: EcuId,
    answers: readonly EcuAnswer[],
    ask: Ask,
    call: CallContext,
  ): Promise<void> {
    const { store } = this.#options;
    const accepted = answers.filter(({ result }) => result === 'NO_FAILURE').map(({ ecuId }) => ecuId);
    if (accepted.length === 0) return;
    const news = awaitNews(store, [child], call);
    // An aborted ECU is at work until it has stopped, and its status says so.
    store.accept(ask.name === 'Abort' ? [] : accepted);
    await news;
  }

  #failureOf(child: EcuId, ask: Ask, error: unknown): ChildEcuError {
    const { log } = this.#options;
    if (error instanceof ChildEcuError) {
      log.warn({ err: error, child, code: error.code }, `${ask.name}: child fails`);
      return error;
    }
    log.error({ err: error, child }, `${ask.name}: asking the child failed unexpectedly`);
    return new ChildEcuError(child, 'other', { cause: error });
  }

  /** A child answers for itself, for what lies below it, and for what nobody has reported yet. */
  #mayAnswerFor(child: EcuId, id: EcuId): boolean {
    const { store, log } = this.#options;
    const owner = id === store.ownId ? id : store.childFor(id);
    if (owner === undefined || owner === child) return true;
    log.warn({ child, ecu: id }, 'child answers for an ECU that is not below it: ignored');
    return false;
  }
}
