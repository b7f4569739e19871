import type { SwitchKind } from '#boot/slots.ts';
import type { EcuId } from '#domain/ecu.ts';
import type { OtaFailure } from '#domain/failure.ts';
import { type Gate, refusalAt } from '#update/gate.ts';
import { refused } from './answers.ts';
import type {
  EcuAnswer,
  IncomingCall,
  LocalEcu,
  NamedRequest,
  UpdateRequest,
  Vehicle,
  VehicleReport,
} from './ecu.ts';
import { type Ask, FanOut, type FanOutOptions } from './fan-out.ts';
import { type Answers, joinAnswers, mergeAnswers, refusal } from './merge-answers.ts';
import { newRequestId } from './request-id.ts';
import { RequestsUnderWay } from './requests-under-way.ts';
import { type Route, routeTo, routeToAll } from './route.ts';

export interface OrchestratorOptions extends FanOutOptions {
  readonly local: LocalEcu;
  /** Why this ECU takes no updates and rollbacks at all: its configuration is broken. */
  readonly refusal?: OtaFailure;
  /** Refuses requests for all ECUs from here downwards, before they are handed out, while its start is not open. */
  readonly vehicleGate?: Gate;
  /** Counts every request until it is answered. */
  readonly underWay?: RequestsUnderWay;
}

/** A request may name a thousand ECUs. */
const maxLoggedNames = 32;

/** The vehicle from this ECU downwards: hands requests out to all that they are for, at the same time. */
export class Orchestrator implements Vehicle {
  readonly #options: OrchestratorOptions;
  readonly #childIds: readonly EcuId[];
  readonly #fanOut: FanOut;
  readonly #underWay: RequestsUnderWay;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#childIds = options.children.map(({ id }) => id);
    this.#fanOut = new FanOut(options);
    this.#underWay = options.underWay ?? new RequestsUnderWay();
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
    const refusals = this.#refuseAll(ecuIds, call) ?? this.#refuseForVehicle('rollback', ecuIds, call);
    if (refusals !== undefined) return refusals;
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
    const refusals = this.#refuseAll(ids, call) ?? this.#refuseForVehicle('update', ids, call);
    if (refusals !== undefined) return refusals;
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

  #ask(route: Route, requestId: string, call: IncomingCall, ask: Ask): Promise<Answers> {
    const fields = {
      requestId,
      request: ask.name,
      named: route.named.slice(0, maxLoggedNames),
      children: [...route.through.keys()],
    };
    this.#options.log.info(fields, 'request');
    return this.#underWay.track(this.#fanOut.ask(route, call, ask));
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
    return [...new Set(mine)].map((ecuId) => refused(ecuId, failure));
  }

  /** Where the vehicle stands for all of its ECUs, none gets a request that one of them would have to refuse. */
  #refuseForVehicle(
    kind: SwitchKind,
    ids: readonly EcuId[],
    { caller }: IncomingCall,
  ): EcuAnswer[] | undefined {
    const { vehicleGate, local, store, log } = this.#options;
    if (vehicleGate === undefined || (kind === 'rollback' && !vehicleGate.holdsRollbacks)) return undefined;
    const failure = refusalAt(vehicleGate, 'start');
    if (failure === undefined) return undefined;
    log.warn({ request: kind, named: ids.slice(0, maxLoggedNames) }, failure.reason);
    // A parent answers itself for what is not below this ECU.
    const isOurs = (id: EcuId): boolean => id === local.id || store.childFor(id) !== undefined;
    const mine = caller === 'agent' ? ids : ids.filter(isOurs);
    return [...new Set(mine)].map((ecuId) => refused(ecuId, failure));
  }
}
