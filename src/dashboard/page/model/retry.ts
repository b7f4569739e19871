import { Code, ConnectError } from '@connectrpc/connect';
import { vehicleNow } from './clock.ts';

/** Waits between attempts, in milliseconds; the last one again and again. */
const waits = [500, 1000, 2000, 4000, 8000, 15_000] as const;

export interface Attempts {
  /** One attempt: returns or throws when the stream is over. Says when it is known to work. */
  readonly attempt: (works: () => void, signal: AbortSignal) => Promise<void>;
  /** The next attempt is made at `atMs` of the vehicle's time. */
  readonly onWait: (error: unknown, atMs: number) => void;
  /** Trying again cannot help. */
  readonly onEnd: (error: unknown) => void;
}

/** Wakes whoever waits for a next attempt. */
const wake = new EventTarget();

/** Tries again at once. */
export function tryNow(): void {
  wake.dispatchEvent(new Event('now'));
}

addEventListener('online', tryNow);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) tryNow();
});

/** Attempts again and again until `signal` fires, ever more slowly as long as none works. */
export async function persistently({ attempt, onWait, onEnd }: Attempts, signal: AbortSignal): Promise<void> {
  let failed = 0;
  while (!signal.aborted) {
    let problem: unknown = new ConnectError('the stream ended', Code.Unavailable);
    try {
      await attempt(() => {
        failed = 0;
      }, signal);
    } catch (error) {
      problem = error;
    }
    if (signal.aborted) return;
    if (isFinal(problem)) return onEnd(problem);
    // Not all at once, after the vehicle was away.
    const wait = (waits[Math.min(failed, waits.length - 1)] ?? 15_000) * (0.75 + Math.random() / 2);
    failed++;
    onWait(problem, vehicleNow() + wait);
    await pause(wait, signal);
  }
}

function isFinal(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return (
    code === Code.Unauthenticated ||
    code === Code.PermissionDenied ||
    code === Code.Unimplemented ||
    code === Code.FailedPrecondition
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = (): void => {
      over.abort();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    wake.addEventListener('now', done, { signal: over.signal });
    signal.addEventListener('abort', done, { signal: over.signal });
  });
}
