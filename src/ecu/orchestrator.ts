import { randomBytes } from 'node:crypto';
import type { EcuId } from '#domain/ecu.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import { awaitNews } from './await-news.ts';
import { childBudget, withinBudget } from './call-budget.ts';
import { ChildEcuError } from './child-ecu-error.ts';
import type {
  CallContext,
  ChildEcu,
  EcuAnswer,
  IncomingCall,
  LocalEcu,
  NamedRequest,
  UpdateRequest,
  Vehicle,
  VehicleReport,
} from './ecu.ts';
import { type Answers, type ChildOutcome, joinAnswers, mergeAnswers, refusal } from './merge-answers.ts';
import { type Route, routeTo, routeToAll } from './route.ts';
import type { StatusStore } from './status-store.ts';

export interface OrchestratorOptions {
  readonly local: LocalEcu;
  readonly children: readonly ChildEcu[];
  readonly store: StatusStore;
  readonly log: Log;
  /** Longest time for the answer of a child, in milliseconds; less when the caller has less. */
  readonly childRequestTimeoutMs: number;
  /** Why this ECU takes no updates and rollbacks at all: its configuration is broken. */
  readonly refusal?: OtaFailure;
}

/** Timers of Node fire at once beyond this. */
const maxTimerMs = 2 ** 31 - 1;

/** Longest wait for children to show what they accepted. */
const newsLimitMs = 500;

/** One kind of request: how a child is asked, and how the own ECU. */
interface Ask {
  readonly name: 'Update' | 'ClientUpdate' | 'Rollback' | 'Abort';
  readonly child: (child: ChildEcu, call: CallContext) => Promise<readonly EcuAnswer[]>;
  readonly own: () => EcuAnswer | Promise<EcuAnswer>;
  /** When the own ECU takes longer than the caller waits. */
  readonly ownLate: (ecuId: EcuId) => EcuAnswer;
}

/** The vehicle from this ECU downwards: hands requests out to all that they are for, at the same time. */
export class Orchestrator implements Vehicle {
  readonly #options: OrchestratorOptions;
  readonly #childIds: readonly EcuId[];

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#childIds = options.children.map(({ id }) => id);
  }

  status(): VehicleReport | undefined {
    return this.#options.store.report();
  }

  async update(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    return this.#update('Update', request, call);
  }

  async clientUpdate(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    return this.#update('ClientUpdate', request, call);
  }

  async rollback(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    const { local } = this.#options;
    const { ecuIds } = request;
    const refused = this.#refuseAll(ecuIds, call);
    if (refused !== undefined) return refused;
    const passedOn = { ...request, requestId: request.requestId || newRequestId() };
    const route = this.#routeTo(ecuIds);
    const answers = await this.#ask(route, passedOn.requestId, call, {
      name: 'Rollback',
      child: (child, context) => child.rollback(passedOn, context),
      own: () => local.rollback(passedOn.requestId),
      ownLate: (id) => refusal(id, 'no answer in time; Status shows whether the rollback has begun'),
    });
    return this.#merge(route, answers, call);
  }

  async abort(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    const { local } = this.#options;
    const { ecuIds } = request;
    const passedOn = { ...request, requestId: request.requestId || newRequestId() };
    const route = ecuIds.length === 0 ? routeToAll(this.#childIds) : this.#routeTo(ecuIds);
    const answers = await this.#ask(route, passedOn.requestId, call, {
      name: 'Abort',
      child: (child, context) => child.abort(passedOn, context),
      own: () => local.abort(passedOn.requestId),
      ownLate: (ecuId) => ({ ecuId, result: 'NO_FAILURE', message: 'accepted, still stopping' }),
    });
    return ecuIds.length === 0 ? joinAnswers(answers) : this.#merge(route, answers, call, 'Abort');
  }

  async #update(
    name: 'Update' | 'ClientUpdate',
    request: UpdateRequest,
    call: IncomingCall,
  ): Promise<readonly EcuAnswer[]> {
    const { local } = this.#options;
    const ids = request.entries.map(({ ecuId }) => ecuId);
    const refused = this.#refuseAll(ids, call);
    if (refused !== undefined) return refused;
    const passedOn = { ...request, requestId: request.requestId || newRequestId() };
    const route = this.#routeTo(ids);
    // The first entry that names an ECU counts.
    const entry = request.entries.find(({ ecuId }) => ecuId === local.id);
    const isUpdate = name === 'Update';
    const answers = await this.#ask(route, passedOn.requestId, call, {
      name,
      child: (child, context) =>
        isUpdate ? child.update(passedOn, context) : child.clientUpdate(passedOn, context),
      own: () => {
        if (entry === undefined) throw new TypeError('the own ECU is not named');
        return isUpdate
          ? local.update(entry, passedOn.requestId)
          : local.clientUpdate(entry, passedOn.requestId);
      },
      ownLate: (id) => refusal(id, 'no answer in time; Status shows whether the update has begun'),
    });
    return this.#merge(route, answers, call);
  }

  #routeTo(ids: readonly EcuId[]): Route {
    return routeTo(ids, this.#childIds, this.#options.store);
  }

  /** Asks the own ECU and all children on the route, side by side. */
  async #ask(route: Route, requestId: string, call: IncomingCall, ask: Ask): Promise<Answers> {
    const { log, children, store } = this.#options;
    const begun = performance.now();
    const asked = children.filter(({ id }) => route.through.has(id));
    log.info(
      { requestId, request: ask.name, named: route.named, children: asked.map((c) => c.id) },
      'request',
    );
    const [own, outcomes] = await Promise.all([
      route.includesOwn ? this.#askOwn(call, ask) : undefined,
      Promise.all(asked.map(async (child) => [child.id, await this.#askChild(child, call, ask)] as const)),
    ]);
    const accepted = outcomes.flatMap(([, { answers = [] }]) => acceptedIds(answers));
    if (accepted.length > 0) {
      // An aborted ECU is at work until it has stopped, and its status says so.
      store.accept(ask.name === 'Abort' ? [] : accepted);
      // Status right after this answer is to show what was accepted.
      const takers = outcomes.filter(([, { answers = [] }]) => acceptedIds(answers).length > 0);
      const budgetMs = childBudget(call.budgetMs - (performance.now() - begun), newsLimitMs);
      await awaitNews(
        store,
        takers.map(([id]) => id),
        { signal: call.signal, budgetMs },
      );
    }
    return { own, children: new Map(outcomes) };
  }

  async #askOwn(call: CallContext, ask: Ask): Promise<EcuAnswer> {
    const { local, log } = this.#options;
    const budgetMs = childBudget(call.budgetMs, maxTimerMs);
    try {
      const answer = Promise.resolve(ask.own());
      return await withinBudget(answer, { ...call, budgetMs }, () => ask.ownLate(local.id));
    } catch (error) {
      log.error({ err: error }, `${ask.name} failed unexpectedly on this ECU`);
      return refusal(local.id, new OtaFailure('unspecific', `${ask.name} failed`).reason);
    }
  }

  async #askChild(child: ChildEcu, call: CallContext, ask: Ask): Promise<ChildOutcome> {
    const { log, childRequestTimeoutMs } = this.#options;
    const budgetMs = childBudget(call.budgetMs, childRequestTimeoutMs);
    try {
      if (budgetMs === 0) throw new ChildEcuError(child.id, 'deadline');
      const answers = await ask.child(child, { signal: call.signal, budgetMs });
      return { answers: answers.filter(({ ecuId }) => this.#mayAnswerFor(child.id, ecuId)) };
    } catch (error) {
      const isExpected = error instanceof ChildEcuError;
      if (isExpected) log.warn({ err: error, child: child.id, code: error.code }, `${ask.name}: child fails`);
      else log.error({ err: error, child: child.id }, `${ask.name}: asking the child failed unexpectedly`);
      return { error: isExpected ? error : new ChildEcuError(child.id, 'other', { cause: error }) };
    }
  }

  /** A child answers for itself, for what lies below it, and for what nobody has reported yet. */
  #mayAnswerFor(child: EcuId, id: EcuId): boolean {
    const { store, log } = this.#options;
    const owner = id === store.ownId ? id : store.childFor(id);
    if (owner === undefined || owner === child) return true;
    log.warn({ child, ecu: id }, 'child answers for an ECU that is not below it: ignored');
    return false;
  }

  #merge(route: Route, answers: Answers, { caller }: IncomingCall, name?: 'Abort'): EcuAnswer[] {
    // Existing parents hand an Update to the ECUs named in it only, but an Abort to all.
    const isParent =
      caller === 'parent' || (caller === 'maybe_parent' && (route.includesOwn || name === 'Abort'));
    return mergeAnswers(route, answers, !isParent);
  }

  /** An ECU whose configuration is broken refuses everything that could change it, and hands nothing out. */
  #refuseAll(ids: readonly EcuId[], { caller }: IncomingCall): EcuAnswer[] | undefined {
    const { refusal: failure, local } = this.#options;
    if (failure === undefined) return undefined;
    const mine = caller === 'agent' ? ids : ids.filter((id) => id === local.id);
    return [...new Set(mine)].map((ecuId) => ({ ecuId, result: 'UNRECOVERABLE', message: failure.reason }));
  }
}

function acceptedIds(answers: readonly EcuAnswer[]): EcuId[] {
  return answers.filter(({ result }) => result === 'NO_FAILURE').map(({ ecuId }) => ecuId);
}

/** As existing daemons make them: `<unix time in seconds>-<8 hex digits>`. */
function newRequestId(): string {
  return `${Math.floor(Date.now() / 1000)}-${randomBytes(4).toString('hex')}`;
}
