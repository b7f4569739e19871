import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { EcuAnswer, IncomingCall, Vehicle } from '#ecu/ecu.ts';
import { newRequestId } from '#ecu/request-id.ts';
import {
  AbortResponseSchema,
  type ConsoleService,
  StartRollbackResponseSchema,
  StartUpdateResponseSchema,
} from '#gen/ota/console/v1/console_pb.ts';
import { checkedIds, checkedRequestId, checkedTargets } from './checked-fields.ts';
import { callerOf } from './rpc-routes.ts';

/** Time for an answer when the caller sets none, in milliseconds. */
const defaultBudgetMs = 10_000;

type Served = 'startUpdate' | 'startRollback' | 'abort';

/** What changes the vehicle, by the same way as requests over OtaClientV2. */
export function actionMethods(
  vehicle: Pick<Vehicle, 'update' | 'rollback' | 'abort'>,
): Pick<ServiceImpl<typeof ConsoleService>, Served> {
  return {
    startUpdate: async (request, context) => {
      const entries = checkedTargets(request.targets);
      const requestId = checkedRequestId(request.requestId) || newRequestId();
      const answers = await vehicle.update({ entries, requestId }, callOf(context));
      return create(StartUpdateResponseSchema, { answers: answersToWire(answers), requestId });
    },
    startRollback: async (request, context) => {
      const ecuIds = checkedIds('ecu_ids', request.ecuIds, 1);
      const requestId = checkedRequestId(request.requestId) || newRequestId();
      const answers = await vehicle.rollback({ ecuIds, requestId }, callOf(context));
      return create(StartRollbackResponseSchema, { answers: answersToWire(answers), requestId });
    },
    abort: async (request, context) => {
      const ecuIds = checkedIds('ecu_ids', request.ecuIds, 0);
      const requestId = checkedRequestId(request.requestId) || newRequestId();
      const answers = await vehicle.abort({ ecuIds, requestId }, callOf(context));
      return create(AbortResponseSchema, { answers: answersToWire(answers), requestId });
    },
  };
}

/** A request goes on when its caller goes away, as over OtaClientV2: what children were told cannot be untold. */
function callOf(context: HandlerContext): IncomingCall {
  const { name, role } = callerOf(context);
  const left = context.timeoutMs();
  return {
    caller: 'agent',
    by: `${role}:${name}`,
    signal: context.signal,
    budgetMs: left === undefined ? defaultBudgetMs : Math.max(0, left),
  };
}

/** Errors: ConnectError FAILED_PRECONDITION, when all refuse because of the state that the vehicle is in. */
function answersToWire(answers: readonly EcuAnswer[]) {
  if (answers.length > 0 && answers.every(({ blocked }) => blocked === true)) {
    const reasons = answers.map(({ ecuId, message }) => `${ecuId}: ${message}`).join('; ');
    throw new ConnectError(reasons.slice(0, 4096).toWellFormed(), Code.FailedPrecondition);
  }
  return answers.map(({ ecuId, result, message }) => {
    return { ecuId, accepted: result === 'NO_FAILURE', recoverable: result === 'RECOVERABLE', message };
  });
}
