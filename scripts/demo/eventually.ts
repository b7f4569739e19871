import { setTimeout as delay } from 'node:timers/promises';
import { DemoError } from './demo-error.ts';

const pauseMs = 250;
const limitMs = 120_000;

/**
 * Looks again and again until it is so; a look that fails is one at which it is not so, as while a daemon starts.
 * Errors: DemoError timed_out, with what the last look failed with.
 */
export async function eventually(
  what: string,
  stop: AbortSignal,
  look: (signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(limitMs)]);
  let last: unknown;
  while (!signal.aborted) {
    try {
      if (await look(signal)) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(pauseMs, undefined, { signal }).catch(() => {});
  }
  stop.throwIfAborted();
  const why = last instanceof Error ? `: ${last.message}` : '';
  throw new DemoError('timed_out', `${what} took longer than ${limitMs / 1000} s${why}`, { cause: last });
}
