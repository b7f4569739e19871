import type { ProbeFailure } from '#domain/trial-end.ts';
import { networkSeen } from '#host/network-seen.ts';

/**
 * Runs one probe, for at most `timeoutMs` milliseconds. What it throws is how it failed, and so is the end of its time:
 * `late` within so many ms. Its output is then what there is of a network. Errors: only the signal's reason.
 */
export async function withinTime(
  late: string,
  timeoutMs: number,
  signal: AbortSignal,
  probe: (limited: AbortSignal) => Promise<ProbeFailure | undefined>,
): Promise<ProbeFailure | undefined> {
  signal.throwIfAborted();
  const time = AbortSignal.timeout(timeoutMs);
  try {
    return await probe(AbortSignal.any([signal, time]));
  } catch (error) {
    signal.throwIfAborted();
    const how = time.aborted ? `${late} within ${timeoutMs} ms` : `failed: ${messageOf(error)}`;
    return { how, output: networkSeen() };
  }
}

/** What Node found at each address of a name is in the error's parts. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
