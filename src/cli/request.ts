import { randomUUID } from 'node:crypto';
import type { OtaClient } from '#api/client.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { CallContext, EcuAnswer } from '#ecu/ecu.ts';
import type { RequestKind } from './answers.ts';
import { acceptedIds, completeAnswers, tellAnswers, tellEnds } from './answers.ts';
import type { CliIo } from './command.ts';
import { StoppedEarly, UsageError } from './command.ts';
import { gravest } from './exit-codes.ts';
import type { Followed } from './follow.ts';
import { Follow } from './follow.ts';
import { causeOfAnswer, exitCodeOf } from './outcome.ts';
import { askStatus, poll } from './poll.ts';
import { statusSink } from './status-sink.ts';
import { secondsOf, vehicleExitCodes } from './vehicle-options.ts';
import { VehicleView } from './vehicle-view.ts';

/** A fan-out waits for silent children at every hop before it answers for them. */
const requestBudgetMs = 30_000;

/** Options of the requests that can be waited for. */
export const waitOptions = { wait: { type: 'boolean' }, timeout: { type: 'string' } } as const;

/** What becomes of a request that is no longer waited for. */
const stillRunning: Readonly<Record<RequestKind, string>> = {
  update: 'no longer waiting; the update goes on: ota status --watch shows it, ota abort stops it',
  rollback: 'no longer waiting; the rollback goes on: ota status --watch shows it',
  abort: 'no longer waiting; the abort goes on: ota status --watch shows it',
};

/** What help says about them. */
export const waitUsage = `  --wait               Show the status until every ECU that accepted has ended, through restarts of daemons
  --timeout SECONDS    With --wait: give up after this long (default 3600; 0 is never)`;

/** What help says about being stopped while waiting. */
export const waitNote = 'Ctrl-C while waiting ends the waiting only: what the vehicle has accepted goes on.';

const defaultTimeout = '3600';

/** How long to wait at most, in milliseconds; 0 is for ever. Errors: UsageError. */
export function timeoutOf({ wait, timeout }: { readonly wait?: boolean; readonly timeout?: string }): number {
  if (timeout !== undefined && wait !== true) throw new UsageError('--timeout needs --wait');
  return secondsOf(timeout ?? defaultTimeout, 'timeout', 0);
}

/** One request to the vehicle, and how to tell what becomes of it. */
export interface VehicleRequest {
  readonly kind: RequestKind;
  readonly client: OtaClient;
  readonly host: string;
  /** Named ECUs; empty when the request is for all. */
  readonly named: readonly string[];
  readonly send: (requestId: string, call: CallContext) => Promise<readonly EcuAnswer[]>;
  /** What to wait for; undefined when the answers are all that is wanted. */
  readonly wait?: { readonly target: (ecuId: string) => Followed; readonly timeoutMs: number } | undefined;
  readonly json: boolean;
}

/** Sends the request, tells the answers, waits when it is wanted, and answers the exit code. */
export async function runRequest(request: VehicleRequest, io: CliIo): Promise<number> {
  const { client, kind, host, json, wait } = request;
  const told = { kind, host, json, requestId: `cli-${randomUUID()}` };
  const before = wait === undefined ? [] : await knownStatus(client, io.signal);
  const answers = completeAnswers(request.named, await send(request, told.requestId, io));
  tellAnswers(answers, told, io);
  const accepted = acceptedIds(answers);
  const held = answers.flatMap((answer) => {
    const cause = causeOfAnswer(answer);
    return cause === undefined ? [] : [exitCodeOf[cause]];
  });
  if (answers.length === 0) held.push(vehicleExitCodes.failed);
  if (wait === undefined || accepted.length === 0) return gravest(held);
  const follow = new Follow(accepted.map(wait.target), before, Date.now());
  await awaitEnds(request, follow, wait.timeoutMs, io);
  const { ends, open } = follow;
  held.push(...ends.flatMap(({ cause }) => (cause === undefined ? [] : [exitCodeOf[cause]])));
  if (open.length > 0) held.push(vehicleExitCodes.timedOut);
  const exitCode = gravest(held);
  tellEnds({ ends, open, exitCode }, told, io);
  return exitCode;
}

async function send(
  { kind, send }: VehicleRequest,
  requestId: string,
  io: CliIo,
): Promise<readonly EcuAnswer[]> {
  try {
    return await send(requestId, { signal: io.signal, budgetMs: requestBudgetMs });
  } catch (error) {
    if (!io.signal.aborted) throw error;
    // Nobody can tell how far it came.
    throw new StoppedEarly(
      `stopped before the vehicle answered: the ${kind} may have begun; see ota status`,
      {
        cause: error,
      },
    );
  }
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
    if (io.signal.aborted) throw new StoppedEarly(stillRunning[request.kind], { cause: error });
    if (timeUp?.aborted !== true) throw error;
  } finally {
    sink.close();
  }
}
