import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { CallRefused, type ServerContext, type UnaryMethod, unaryMethod } from '#api/unary-method.ts';
import { isEcuId } from '#api/wire.ts';
import type { EcuId } from '#domain/ecu.ts';
import {
  EcuService,
  GetBlackBoxResponseSchema,
  ListBlackBoxesResponseSchema,
  PlanUpdateResponseSchema,
} from '#gen/ota/ecu/v1/ecu_pb.ts';
import { InspectionError, type InspectionErrorCode } from './inspection-error.ts';
import type { VehicleInspection } from './vehicle-inspection.ts';

const codes: Readonly<Record<InspectionErrorCode, status>> = {
  not_found: status.NOT_FOUND,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  deadline: status.DEADLINE_EXCEEDED,
  other: status.INTERNAL,
};

const { planUpdate, listBlackBoxes, getBlackBox } = EcuService.method;

/** The methods of ota.ecu.v1.EcuService, for the ECU above. */
export function ecuMethods(inspection: VehicleInspection, context: ServerContext): UnaryMethod[] {
  return [
    unaryMethod(planUpdate, context, async ({ target }, call) => {
      if (target === undefined) throw new CallRefused(status.INVALID_ARGUMENT, 'target is missing');
      checkedId(target.ecuId);
      const plan = await coded(inspection.plan(target, call));
      return create(PlanUpdateResponseSchema, { plan });
    }),
    unaryMethod(listBlackBoxes, context, async ({ ecuId }, call) => {
      const blackBoxes = await coded(inspection.blackBoxes(checkedId(ecuId), call));
      return create(ListBlackBoxesResponseSchema, { blackBoxes: [...blackBoxes] });
    }),
    unaryMethod(getBlackBox, context, async ({ ecuId, id }, call) => {
      const blackBox = await coded(inspection.blackBox(checkedId(ecuId), id.slice(0, 256), call));
      return create(GetBlackBoxResponseSchema, { blackBox });
    }),
  ];
}

function checkedId(ecuId: string): EcuId {
  if (isEcuId(ecuId)) return ecuId;
  throw new CallRefused(status.INVALID_ARGUMENT, 'ecu_id cannot be the name of an ECU');
}

async function coded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof InspectionError)) throw error;
    throw new CallRefused(codes[error.code], error.message, { cause: error });
  }
}
