import { randomUUID } from 'node:crypto';
import type { OtaClient } from '#api/client.ts';
import { acceptedIds, tellAnswers } from '#cli/answers.ts';
import type { CliIo } from '#cli/command.ts';
import { Follow } from '#cli/follow.ts';
import { askStatus, poll } from '#cli/poll.ts';
import { statusSink } from '#cli/status-sink.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import type { CallContext, EcuAnswer, VehicleReport } from '#ecu/ecu.ts';
import { DemoError } from './demo-error.ts';

export interface Job {
  readonly kind: 'update' | 'rollback';
  readonly client: OtaClient;
  /** Address of the main ECU, for people. */
  readonly host: string;
  readonly ecuIds: readonly string[];
  /** What the ECUs run when the job is done. */
  readonly version: string;
  readonly send: (requestId: string, call: CallContext) => Promise<readonly EcuAnswer[]>;
}

/** How long the vehicle may take to come up, or to do a job. */
const startLimitMs = 60_000;
const jobLimitMs = 600_000;

/** Sends one request and shows the vehicle until every named ECU has done it. Errors: DemoError; OtaClientError. */
export async function runJob(job: Job, io: CliIo): Promise<void> {
  const { client, kind, host, ecuIds, version } = job;
  const before = await askStatus(client, io.signal);
  const requestId = `demo-${randomUUID()}`;
  const answers = await job.send(requestId, { signal: io.signal, budgetMs: 30_000 });
  tellAnswers(answers, { kind, host, json: false, requestId }, io);
  const accepted = acceptedIds(answers);
  const others = ecuIds.filter((id) => !accepted.includes(id));
  if (others.length > 0) {
    throw new DemoError('request_refused', `the ${kind} request was not accepted by ${others.join(', ')}`);
  }
  io.stdout.write('\n');
  const targets = ecuIds.map((ecuId) => ({ ecuId, version }));
  const follow = new Follow(targets, before.report?.ecus ?? [], Date.now());
  const view = new VehicleView();
  const sink = statusSink(io, host, false);
  // Lines that are added, rather than drawn again, are worth a slower look.
  const intervalMs = io.isTTY ? 200 : 1000;
  try {
    await limited(jobLimitMs, `the ${kind}`, io.signal, async (signal) => {
      for await (const { report, lost } of poll(client, intervalMs, signal)) {
        const now = Date.now();
        sink.show(report === undefined ? view.lose(lost) : view.observe(report, now), now);
        if (report !== undefined) follow.observe(report.ecus, now);
        if (follow.open.length === 0) return;
      }
    });
  } finally {
    sink.close();
  }
  const failed = follow.ends.filter((end) => !end.ok).map(({ ecuId, message }) => `${ecuId}: ${message}`);
  if (failed.length > 0) throw new DemoError('job_failed', failed.join('\n'));
}

/** Waits until the main ECU reports every ECU. Errors: DemoError timed_out. */
export async function vehicleIsUp(
  client: OtaClient,
  ecuIds: readonly string[],
  stop: AbortSignal,
): Promise<VehicleReport> {
  return await limited(startLimitMs, 'the start of the vehicle', stop, async (signal) => {
    for await (const { report } of poll(client, 100, signal)) {
      if (ecuIds.every((id) => report?.ecus.some((ecu) => ecu.ecuId === id)) && report !== undefined) {
        return report;
      }
    }
    throw new Error('the status poll ended by itself');
  });
}

async function limited<Result>(
  limitMs: number,
  what: string,
  stop: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const timeUp = AbortSignal.timeout(limitMs);
  try {
    return await work(AbortSignal.any([stop, timeUp]));
  } catch (error) {
    stop.throwIfAborted();
    if (!timeUp.aborted) throw error;
    throw new DemoError('timed_out', `${what} took more than ${limitMs / 1000} s`, { cause: error });
  }
}
