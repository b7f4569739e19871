import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { InspectionError, type InspectionErrorCode } from '#api/inspection/inspection-error.ts';
import type { VehicleInspection } from '#api/inspection/vehicle-inspection.ts';
import { unknownPlan } from '#api/inspection/wire-inspection.ts';
import type { EcuId } from '#domain/ecu.ts';
import type { OtaFailure } from '#domain/failure.ts';
import type { CallContext } from '#ecu/ecu.ts';
import {
  type ConsoleService,
  GetBlackBoxResponseSchema,
  ListBlackBoxesResponseSchema,
  PlanUpdateResponseSchema,
} from '#gen/ota/console/v1/console_pb.ts';
import type { EcuPlan, UpdateTarget } from '#gen/ota/console/v1/types_pb.ts';
import { checkedId, checkedTargets, invalid } from './checked-fields.ts';

export interface InspectionMethodParts {
  readonly inspection: VehicleInspection;
  readonly ownId: EcuId;
  /** Why this ECU takes no requests at all. */
  readonly refusal: OtaFailure | undefined;
}

/** Time for an answer when the caller sets none, in milliseconds: reading two slots takes a while. */
const defaultBudgetMs = 120_000;
/** Plans of one request that are made at the same time. */
const sideBySide = 8;
/** Requests for plans at the same time, of all callers. */
const maxPlanning = 4;

const codes: Readonly<Record<InspectionErrorCode, Code>> = {
  not_found: Code.NotFound,
  unavailable: Code.Unavailable,
  unimplemented: Code.Unimplemented,
  deadline: Code.DeadlineExceeded,
  other: Code.Internal,
};

type Served = 'planUpdate' | 'listBlackBoxes' | 'getBlackBox';

/** What updates would do, and why ECUs came back from releases. */
export function inspectionMethods(
  parts: InspectionMethodParts,
): Pick<ServiceImpl<typeof ConsoleService>, Served> {
  const { inspection, ownId, refusal } = parts;
  let planning = 0;
  return {
    planUpdate: async ({ targets }, context) => {
      checkedTargets(targets);
      if (refusal !== undefined) throw new ConnectError(refusal.reason, Code.FailedPrecondition);
      if (planning >= maxPlanning) {
        throw new ConnectError(
          'too many plans are being made: ask again in a moment',
          Code.ResourceExhausted,
        );
      }
      planning += 1;
      try {
        return create(PlanUpdateResponseSchema, {
          plans: await plansOf(inspection, targets, callOf(context)),
        });
      } finally {
        planning -= 1;
      }
    },
    listBlackBoxes: async ({ ecuId }, context) => {
      const id = ecuId === '' ? ownId : checkedId('ecu_id', ecuId);
      const blackBoxes = await coded(inspection.blackBoxes(id, callOf(context)));
      return create(ListBlackBoxesResponseSchema, { blackBoxes: [...blackBoxes] });
    },
    getBlackBox: async ({ ecuId, id }, context) => {
      if (id.length > 256) throw invalid('id', 'cannot be the id of a black box');
      const ecu = ecuId === '' ? ownId : checkedId('ecu_id', ecuId);
      return create(GetBlackBoxResponseSchema, {
        blackBox: await coded(inspection.blackBox(ecu, id, callOf(context))),
      });
    },
  };
}

/** In the order of the targets. */
async function plansOf(
  inspection: VehicleInspection,
  targets: readonly UpdateTarget[],
  call: CallContext,
): Promise<EcuPlan[]> {
  const plans: EcuPlan[] = [];
  const queue = [...targets.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, target] = next;
      plans[at] = await planOf(inspection, target, call);
    }
  };
  await Promise.all(Array.from({ length: Math.min(sideBySide, targets.length) }, work));
  return plans;
}

/** An ECU that nobody knows costs the others nothing. */
async function planOf(
  inspection: VehicleInspection,
  target: UpdateTarget,
  call: CallContext,
): Promise<EcuPlan> {
  try {
    return await inspection.plan(target, call);
  } catch (error) {
    if (!(error instanceof InspectionError)) throw error;
    return { ...unknownPlan(target.ecuId, error.message), refusals: [error.message] };
  }
}

function callOf(context: HandlerContext): CallContext {
  const left = context.timeoutMs();
  return { signal: context.signal, budgetMs: left === undefined ? defaultBudgetMs : Math.max(0, left) };
}

async function coded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof InspectionError)) throw error;
    throw new ConnectError(error.message, codes[error.code], undefined, undefined, error);
  }
}
