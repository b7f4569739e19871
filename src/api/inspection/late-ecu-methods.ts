import type { handleUnaryCall } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { sameBytes } from '#api/grpc-methods.ts';
import type { ServerContext, UnaryMethod } from '#api/unary-method.ts';
import type { VehicleInspection } from './vehicle-inspection.ts';

const names = ['PlanUpdate', 'ListBlackBoxes', 'GetBlackBox'];

/** The methods of ota.ecu.v1.EcuService; what answers is loaded when somebody asks: an idle daemon does without. */
export function lateEcuMethods(
  load: () => Promise<VehicleInspection>,
  context: ServerContext,
): UnaryMethod[] {
  let loaded: Promise<ReadonlyMap<string, UnaryMethod>> | undefined;
  const methods = async (): Promise<ReadonlyMap<string, UnaryMethod>> => {
    const [{ ecuMethods }, inspection] = await Promise.all([import('./ecu-service.ts'), load()]);
    return new Map(ecuMethods(inspection, context).map((method) => [method.definition.path, method]));
  };
  return names.map((name): UnaryMethod => {
    const path = `/ota.ecu.v1.EcuService/${name}`;
    const handler: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      loaded ??= methods();
      loaded.then(
        (all) => all.get(path)?.handler(call, callback),
        (error: unknown) => {
          loaded = undefined;
          context.log.error({ err: error }, `${name} could not be loaded`);
          callback({
            code: status.INTERNAL,
            details: 'unexpected failure; the log of this ECU has the cause',
          });
        },
      );
    };
    return {
      handler,
      definition: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: sameBytes,
        requestDeserialize: sameBytes,
        responseSerialize: sameBytes,
        responseDeserialize: sameBytes,
      },
    };
  });
}
