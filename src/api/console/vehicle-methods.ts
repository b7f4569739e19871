import { create } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { Role } from '#domain/role.ts';
import {
  type ConsoleService,
  GetCallerResponseSchema,
  GetVehicleResponseSchema,
  type WatchVehicleRequest,
  type WatchVehicleResponse,
  WatchVehicleResponseSchema,
} from '#gen/ota/console/v1/console_pb.ts';
import { Role as WireRole } from '#gen/ota/console/v1/types_pb.ts';
import { callerOf } from './rpc-routes.ts';
import type { VehicleFeed } from './vehicle-feed.ts';
import { enterWatch, type WatchGate } from './watch-gate.ts';

export interface ServiceParts {
  readonly feed: VehicleFeed;
  readonly gate: WatchGate;
  readonly heartbeatMs: number;
}

const wireRoles: Readonly<Record<Role, WireRole>> = {
  viewer: WireRole.VIEWER,
  operator: WireRole.OPERATOR,
  metrics: WireRole.UNSPECIFIED,
};

type Served = 'getCaller' | 'getVehicle' | 'watchVehicle';

/** Who asks, and the vehicle as it is. */
export function vehicleMethods(parts: ServiceParts): Pick<ServiceImpl<typeof ConsoleService>, Served> {
  const { feed } = parts;
  return {
    getCaller: (_request, context) => {
      const { name, role } = callerOf(context);
      return create(GetCallerResponseSchema, { name, role: wireRoles[role] });
    },
    getVehicle: () => {
      return create(GetVehicleResponseSchema, {
        vehicle: feed.vehicle(),
        revision: feed.revision,
        serverTime: timestampNow(),
      });
    },
    watchVehicle: (request, context) => watchVehicle(parts, request, context),
  };
}

/** Whoever reads slowly is asked for when he has read: what happened meanwhile is told at once, as it stands then. */
async function* watchVehicle(
  { feed, gate, heartbeatMs }: ServiceParts,
  request: WatchVehicleRequest,
  context: HandlerContext,
): AsyncGenerator<WatchVehicleResponse> {
  using _pass = enterWatch(gate, context);
  let after = request.after;
  while (!context.signal.aborted) {
    const content = feed.since(after);
    const { revision } = feed;
    if (content !== undefined) {
      after = create(WatchVehicleResponseSchema, { revision }).revision;
      yield create(WatchVehicleResponseSchema, { content, revision, serverTime: timestampNow() });
    } else if (!(await feed.next(heartbeatMs, context.signal)) && !context.signal.aborted) {
      const heartbeat = { case: 'heartbeat', value: {} } as const;
      yield create(WatchVehicleResponseSchema, {
        content: heartbeat,
        revision: feed.revision,
        serverTime: timestampNow(),
      });
    }
  }
}
