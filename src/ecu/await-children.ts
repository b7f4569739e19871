import type { EcuId } from '#domain/ecu.ts';
import type { Log } from '#domain/log.ts';
import type { StatusStore } from './status-store.ts';

/**
 * Resolves when no child and no descendant is in update any more, or when `limitMs` are over: a parent that reboots
 * earlier takes the network away from them. Lost ECUs are not waited for; one that reboots and is silent is, because
 * the last that it said was that it updates. Rejects when `signal` is aborted, with its reason.
 */
export async function awaitChildren(
  store: StatusStore,
  log: Log,
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<'done' | 'limit'> {
  signal.throwIfAborted();
  const waitedFor = (): EcuId[] => [...store.overview().childrenInUpdate];
  if (waitedFor().length === 0) return 'done';
  log.info({ ecus: waitedFor(), limitMs }, 'waiting for children that are in update');
  const { promise, resolve, reject } = Promise.withResolvers<'done' | 'limit'>();
  const look = () => {
    if (waitedFor().length === 0) resolve('done');
  };
  const giveUp = () => reject(signal.reason);
  const stop = store.subscribe(look);
  // A hold on an accepted request and the patience with a lost ECU end by time alone.
  const ticks = setInterval(look, 1000);
  const limit = setTimeout(() => resolve('limit'), limitMs);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const end = await promise;
    if (end === 'limit') log.warn({ ecus: waitedFor() }, 'not waiting any longer for children in update');
    return end;
  } finally {
    stop();
    clearInterval(ticks);
    clearTimeout(limit);
    signal.removeEventListener('abort', giveUp);
  }
}
