import { create, type DescMessage, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import { type ServiceError, status } from '@grpc/grpc-js';
import type { RemoteEcu } from '#api/remote-ecu.ts';
import type { EcuId } from '#domain/ecu.ts';
import { childBudget } from '#ecu/call-budget.ts';
import { ChildEcuError } from '#ecu/child-ecu-error.ts';
import type { CallContext } from '#ecu/ecu.ts';
import type { OwnInspection } from '#ecu/own-inspection.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import type { BlackBox, BlackBoxSummary, EcuPlan, UpdateTarget } from '#gen/ota/console/v1/types_pb.ts';
import {
  EcuService,
  GetBlackBoxRequestSchema,
  ListBlackBoxesRequestSchema,
  PlanUpdateRequestSchema,
} from '#gen/ota/ecu/v1/ecu_pb.ts';
import { InspectionError, type InspectionErrorCode } from './inspection-error.ts';
import {
  blackBoxToWire,
  boundedPlan,
  entryFromTarget,
  planToWire,
  summaryToWire,
  unknownPlan,
} from './wire-inspection.ts';

export interface VehicleInspectionParts {
  readonly own: OwnInspection;
  readonly children: readonly RemoteEcu[];
  readonly store: Pick<StatusStore, 'ownId' | 'childFor' | 'availableEcuIds'>;
}

/** Longest time for the answer of a child, in milliseconds; less when the caller has less. */
const maxChildBudgetMs = 120_000;
const maxBoxes = 256;

const { planUpdate, listBlackBoxes, getBlackBox } = EcuService.method;

/** What can be found out about every ECU of the vehicle: of the own one here, of others from the child that leads there. */
export class VehicleInspection {
  readonly #parts: VehicleInspectionParts;

  constructor(parts: VehicleInspectionParts) {
    this.#parts = parts;
  }

  /** A plan that nobody can make is an answer, too. Errors: InspectionError `not_found`; the signal's reason. */
  async plan(target: UpdateTarget, call: CallContext): Promise<EcuPlan> {
    const { ecuId } = target;
    if (ecuId === this.#parts.store.ownId) {
      return planToWire(ecuId, await this.#parts.own.plan(entryFromTarget(target), call.signal));
    }
    try {
      const request = create(PlanUpdateRequestSchema, { target });
      const { plan } = await this.#askFor(ecuId, planUpdate, request, call);
      return plan === undefined ? unknownPlan(ecuId, 'the ECU gave no plan') : boundedPlan(ecuId, plan);
    } catch (error) {
      call.signal.throwIfAborted();
      if (!(error instanceof InspectionError) || error.code === 'not_found') throw error;
      return unknownPlan(ecuId, error.message);
    }
  }

  /** Newest first. Errors: InspectionError. */
  async blackBoxes(ecuId: EcuId, call: CallContext): Promise<readonly BlackBoxSummary[]> {
    const { own, store } = this.#parts;
    if (ecuId === store.ownId) {
      return (await own.blackBoxes()).map((box) => summaryToWire(ecuId, box)).reverse();
    }
    const request = create(ListBlackBoxesRequestSchema, { ecuId });
    const { blackBoxes } = await this.#askFor(ecuId, listBlackBoxes, request, call);
    return blackBoxes.slice(0, maxBoxes).map((box) => ({ ...box, ecuId }));
  }

  /** The newest without an id. Errors: InspectionError. */
  async blackBox(ecuId: EcuId, id: string, call: CallContext): Promise<BlackBox> {
    const { own, store } = this.#parts;
    if (ecuId === store.ownId) {
      const boxes = await own.blackBoxes();
      const found = id === '' ? boxes.at(-1) : boxes.find(({ box }) => box.id === id);
      if (found !== undefined) return blackBoxToWire(ecuId, found);
      const what = id === '' ? 'has no black box' : `has no black box ${id}`;
      throw new InspectionError('not_found', `ECU ${ecuId} ${what}`);
    }
    const { blackBox } = await this.#askFor(
      ecuId,
      getBlackBox,
      create(GetBlackBoxRequestSchema, { ecuId, id }),
      call,
    );
    if (blackBox === undefined) throw new InspectionError('not_found', `ECU ${ecuId} has no such black box`);
    if (blackBox.summary !== undefined) blackBox.summary.ecuId = ecuId;
    return blackBox;
  }

  /** Errors: InspectionError. */
  async #askFor<I extends DescMessage, O extends DescMessage>(
    ecuId: EcuId,
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    { signal, budgetMs }: CallContext,
  ): Promise<MessageShape<O>> {
    const { store, children } = this.#parts;
    const childId = store.childFor(ecuId);
    const child = children.find(({ id }) => id === childId);
    if (child === undefined) {
      const isListed = store.availableEcuIds.includes(ecuId);
      const text = isListed ? `ECU ${ecuId} was never heard of` : `there is no ECU ${ecuId}`;
      throw new InspectionError(isListed ? 'unavailable' : 'not_found', text);
    }
    try {
      return await child.ask(method, request, { signal, budgetMs: childBudget(budgetMs, maxChildBudgetMs) });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ChildEcuError)) throw error;
      throw fromChild(error, ecuId, child.id);
    }
  }
}

function fromChild(error: ChildEcuError, ecuId: EcuId, childId: EcuId): InspectionError {
  const code = codeOf(error);
  const via = ecuId === childId ? '' : ` (asked through ${childId})`;
  const texts: Readonly<Record<InspectionErrorCode, string>> = {
    not_found: `ECU ${ecuId} has no such thing${via}`,
    unavailable: `ECU ${ecuId} does not answer${via}`,
    unimplemented: `ECU ${ecuId} speaks only OtaClientV2, which cannot tell this${via}`,
    deadline: `ECU ${ecuId} did not answer in time${via}`,
    other: `ECU ${ecuId} could not tell this${via}`,
  };
  return new InspectionError(code, texts[code], { cause: error });
}

function codeOf({ code, cause }: ChildEcuError): InspectionErrorCode {
  if (code === 'unimplemented' || code === 'unavailable' || code === 'deadline') return code;
  return (cause as Partial<ServiceError> | undefined)?.code === status.NOT_FOUND ? 'not_found' : 'other';
}
