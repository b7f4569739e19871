import type { EcuId } from '#domain/ecu.ts';
import type { StatusStore } from './status-store.ts';

/** Where the parts of a request go. Pure data. */
export interface Route {
  /** Named ECUs, each once, in the order of the request. */
  readonly named: readonly EcuId[];
  readonly includesOwn: boolean;
  /** Children to be asked, with the named ECUs that they are or lead to; none when they are only tried. */
  readonly through: ReadonlyMap<EcuId, readonly EcuId[]>;
  /** Named ECUs that configuration lists and nobody has reported yet: tried through every child. */
  readonly sought: ReadonlySet<EcuId>;
}

/** The way to every named ECU, as far as it is known. */
export function routeTo(ids: Iterable<EcuId>, childIds: readonly EcuId[], store: StatusStore): Route {
  const named = [...new Set(ids)];
  const through = new Map<EcuId, EcuId[]>();
  const sought = new Set<EcuId>();
  for (const id of named) {
    if (id === store.ownId) continue;
    const child = store.childFor(id);
    if (child !== undefined) through.set(child, [...(through.get(child) ?? []), id]);
    else if (store.availableEcuIds.includes(id)) sought.add(id);
  }
  if (sought.size > 0) for (const id of childIds) if (!through.has(id)) through.set(id, []);
  return { named, includesOwn: named.includes(store.ownId), through, sought };
}

/** The way of a request that is for all. */
export function routeToAll(childIds: readonly EcuId[]): Route {
  const through = new Map(childIds.map((id) => [id, [id]]));
  return { named: [], includesOwn: true, through, sought: new Set() };
}
