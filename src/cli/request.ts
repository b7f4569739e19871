import { randomUUID } from 'node:crypto';
import type { OtaClient } from '#api/client.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { CallContext, EcuAnswer } from '#ecu/ecu.ts';
import type { RequestKind } from './answers.ts';
import { acceptedIds, completeAnswers, tellAnswers, tellEnds } from './answers.ts';
import type { CliIo } from './command.ts';
import type { Followed } from './follow.ts';
import { Follow } from './follow.ts';
import { askStatus, poll } from './poll.ts';
import { statusSink } from './status-sink.ts';
import { vehicleExitCodes } from './vehicle-options.ts';
import { VehicleView } from './vehicle-view.ts';

/** A fan-out waits for silent children at every hop before it answers for them. */
const requestBudgetMs = 30_000;

/** Options of the requests that can be waited for. */
export const waitOptions = { wait: { type: 'boolean' }, timeout: { type: 'string' } } as const;

/** What help says about them. */
export const waitUsage = `  --wait               Show the status until every ECU that accepted has ended, through restarts of daemons
  --timeout SECONDS    With --wait: give up after this long (default 3600; 0 is never)`;

export const defaultTimeout = '3600';

/** One request to the vehicle, and how to tell what becomes of it. */
export interface VehicleRequest {
  readonly kind: RequestKind;
  readonly client: OtaClient;
  readonly host: string;
  /** Named ECUs; empty when the request is for all. */
  readonly named: readonly string[];
  readonly send: (requestId: string, call: CallContext) => Promise<readonly EcuAnswer[]>;
  /** What to wait for; undefined when the answers are all that is wanted. */
  readonly wait?: { readonly targets: readonly Followed[]; readonly timeoutMs: number } | undefined;
  readonly json: boolean;
}

/** Sends the request, tells the answers, waits when it is wanted, and answers the exit code. */
export async function runRequest(request: VehicleRequest, io: CliIo): Promise<number> {
  const { client, kind, host, json, wait } = request;
  const told = { kind, host, json, requestId: `cli-${randomUUID()}` };
  const before = wait === undefined ? [] : await knownStatus(client, io.signal);
  const call = { signal: io.signal, budgetMs: requestBudgetMs };
  const answers = completeAnswers(request.named, await request.send(told.requestId, call));
  tellAnswers(answers, told, io);
  const accepted = acceptedIds(answers);
  const refused = accepted.length < answers.length || answers.length === 0;
  const answered = refused ? vehicleExitCodes.failed : vehicleExitCodes.ok;
  if (wait === undefined || accepted.length === 0) return answered;
  const targets = wait.targets.filter((target) => accepted.includes(target.ecuId));
  const follow = new Follow(targets, before, Date.now());
  await awaitEnds(request, follow, wait.timeoutMs, io);
  tellEnds(follow.ends, follow.open, told, io);
  if (follow.ends.some((end) => !end.ok)) return vehicleExitCodes.ecuFailed;
  return follow.open.length > 0 ? vehicleExitCodes.timedOut : answered;
}

/** What the ECUs say before the request, as far as the daemon knows it. */
async function knownStatus(client: OtaClient, signal: AbortSignal): Promise<readonly EcuStatus[]> {
  const { report } = await askStatus(client, signal);
  return report?.ecus ?? [];
}

/** Shows the status until every followed job has ended or the time is up. */
async function awaitEnds(
  request: VehicleRequest,
  follow: Follow,
  timeoutMs: number,
  io: CliIo,
): Promise<void> {
  const timeUp = timeoutMs === 0 ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeUp === undefined ? io.signal : AbortSignal.any([io.signal, timeUp]);
  const view = new VehicleView();
  const sink = statusSink(io, request.host, request.json);
  try {
    for await (const { report, lost } of poll(request.client, 1000, signal)) {
      const now = Date.now();
      sink.show(report === undefined ? view.lose(lost) : view.observe(report, now), now);
      if (report !== undefined) follow.observe(report.ecus, now);
      if (follow.open.length === 0) return;
    }
  } catch (error) {
    io.signal.throwIfAborted();
    if (timeUp?.aborted !== true) throw error;
  } finally {
    sink.close();
  }
}
