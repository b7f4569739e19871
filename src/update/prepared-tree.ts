import { extname } from 'node:path';
import type { StandbyTree } from '#boot/slots.ts';
import { WorkerCrew } from '#host/worker-crew.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { CandidateData } from './candidates.ts';
import type { SharedState } from './shared-state.ts';

/**
 * A standby slot that is cleared for an image and has its directories and symlinks, with the threads that will fill
 * it. Whoever has it last closes the crew; an aborted step closes it too.
 */
export interface PreparedTree {
  readonly image: VerifiedImage;
  readonly tree: StandbyTree;
  readonly state: SharedState;
  readonly crew: WorkerCrew;
  /** Files of the active slot that may hold wanted content; listed while the standby slot was made ready. */
  readonly active: CandidateData;
  /** Room that nothing of the image will take. */
  readonly spareBytes: number;
}

/** Starts the worker threads of one update. `umask` is the process's. */
export function startCrew({ root, reserved }: StandbyTree, state: SharedState, workers: number): WorkerCrew {
  const umask = process.umask();
  // A source, or in a package what it was made into.
  const module = new URL(`./worker/place-worker${extname(import.meta.url)}`, import.meta.url);
  return new WorkerCrew(module, workers, { state: state.data, root, reserved, umask });
}

/**
 * Runs one step's work with the crew: when it fails or `signal` fires, the threads are stopped and closed before the
 * error goes on, so that nothing writes to the slot any more.
 */
export async function withCrew<Result>(
  crew: WorkerCrew,
  state: SharedState,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    state.stop();
    aborted.reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work(), aborted.promise]);
  } catch (error) {
    state.stop();
    await crew[Symbol.asyncDispose]();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
