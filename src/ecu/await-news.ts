import type { EcuId } from '#domain/ecu.ts';
import { withinBudget } from './call-budget.ts';
import type { CallContext } from './ecu.ts';
import type { StatusStore } from './status-store.ts';

/** Resolves when each of these children has answered a poll that was sent from now on, or when the budget is over. */
export async function awaitNews(
  store: StatusStore,
  childIds: readonly EcuId[],
  call: CallContext,
): Promise<void> {
  const since = performance.now();
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (childIds.every((id) => (store.lastAskedAt(id) ?? 0) >= since)) resolve();
  };
  const stop = store.subscribe(look);
  await withinBudget(promise, call, () => {});
  stop();
}
