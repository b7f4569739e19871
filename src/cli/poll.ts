import { setTimeout as delay } from 'node:timers/promises';
import type { OtaClient } from '#api/client.ts';
import { OtaClientError } from '#api/client-error.ts';
import type { VehicleReport } from '#ecu/ecu.ts';

/** One attempt to get a Status answer: the answer, or why there is none at the moment. */
export type Poll =
  | { readonly report: VehicleReport; readonly lost?: never }
  | { readonly report?: never; readonly lost: string };

/** A daemon answers Status from memory; one that takes longer than this is as good as gone. */
const statusBudgetMs = 5000;

/**
 * Asks for Status every `intervalMs`, at once for the first time. Goes on while the daemon is away: daemons restart
 * during an update. Ends by throwing: the signal's reason, or an OtaClientError that waiting will not mend.
 */
export async function* poll(
  client: OtaClient,
  intervalMs: number,
  signal: AbortSignal,
): AsyncGenerator<Poll, never, void> {
  for (;;) {
    const due = performance.now() + intervalMs;
    signal.throwIfAborted();
    yield await askStatus(client, signal);
    await delay(Math.max(0, due - performance.now()), undefined, { signal });
  }
}

/** Asks for Status once. Throws what waiting will not mend. */
export async function askStatus(client: OtaClient, signal: AbortSignal): Promise<Poll> {
  try {
    return { report: await client.status({ signal, budgetMs: statusBudgetMs }) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OtaClientError && error.isPassing) return { lost: error.message };
    throw error;
  }
}
