import { status } from '@grpc/grpc-js';
import type { EcuId } from '#domain/ecu.ts';
import type { Vehicle } from '#ecu/ecu.ts';
import { OtaClientService } from '#gen/otaclient_v2_pb.ts';
import { CallRefused, type ServerContext, type UnaryMethod, unaryMethod } from './unary-method.ts';
import { reportToWire } from './wire-report.ts';
import {
  abortAnswersToWire,
  abortRequestFromWire,
  rollbackAnswersToWire,
  rollbackRequestFromWire,
  updateAnswersToWire,
  updateRequestFromWire,
} from './wire-requests.ts';

/** Most ECUs that one request may name. */
const maxNamedEcus = 1024;

/** The methods of OtaClientV2.OtaClientService, served by a vehicle. */
export function otaClientMethods(vehicle: Vehicle, ownId: EcuId, context: ServerContext): UnaryMethod[] {
  const { update, clientUpdate, rollback, abort, status: statusMethod } = OtaClientService.method;
  return [
    unaryMethod(update, context, async (request, call) => {
      checkCount(request.ecu);
      return updateAnswersToWire(await vehicle.update(updateRequestFromWire(request), call));
    }),
    unaryMethod(clientUpdate, context, async (request, call) => {
      checkCount(request.ecu);
      return updateAnswersToWire(await vehicle.clientUpdate(updateRequestFromWire(request), call));
    }),
    unaryMethod(rollback, context, async (request, call) => {
      checkCount(request.ecu);
      return rollbackAnswersToWire(await vehicle.rollback(rollbackRequestFromWire(request), call));
    }),
    unaryMethod(abort, context, async (request, call) => {
      checkCount(request.ecu);
      return abortAnswersToWire(await vehicle.abort(abortRequestFromWire(request), call));
    }),
    unaryMethod(statusMethod, context, () => {
      const report = vehicle.status();
      if (report === undefined) {
        throw new CallRefused(status.UNAVAILABLE, `the status of ECU ${ownId} is not known yet; ask again`);
      }
      return reportToWire(report);
    }),
  ];
}

function checkCount(entries: readonly unknown[]): void {
  if (entries.length > maxNamedEcus) {
    throw new CallRefused(status.INVALID_ARGUMENT, `more than ${maxNamedEcus} ECUs are named`);
  }
}
