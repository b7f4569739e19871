import type { CallContext } from './ecu.ts';

/** Time that an ECU keeps for itself, to answer for a child that does not: a share of the budget, and not too little. */
const ownShare = 0.15;
const ownMinimumMs = 300;

/**
 * What is left for children of a budget, in milliseconds; 0 when it is not worth asking. It shrinks on every hop, so
 * that an ECU answers before its own caller gives it up, even when all that is below it hangs.
 */
export function childBudget(budgetMs: number, limitMs: number): number {
  const left = budgetMs - Math.max(ownMinimumMs, budgetMs * ownShare);
  return left < 50 ? 0 : Math.min(left, limitMs);
}

/** The result of `work`, or of `otherwise` when the budget is over or the caller gone first. */
export async function withinBudget<T>(
  work: Promise<T>,
  { signal, budgetMs }: CallContext,
  otherwise: () => T,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const giveUp = () => resolve(otherwise());
  const timer = setTimeout(giveUp, budgetMs);
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
