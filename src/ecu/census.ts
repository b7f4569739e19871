import type { EcuId } from '#domain/ecu.ts';
import type { EcuStatus } from '#domain/status.ts';
import type { ChildRecord } from './child-record.ts';

/** Whether an ECU answers: now; not now, but before; not since this daemon started. */
export type Reachability = 'reachable' | 'silent' | 'never_seen';

/** One ECU of the vehicle, whether or not it answers. */
export interface Registered {
  readonly ecuId: EcuId;
  /** The ECU above it; undefined for the answering ECU, and where nobody knows. */
  readonly parentEcuId: EcuId | undefined;
  readonly reachability: Reachability;
  /** Unix time in milliseconds; undefined when it was never seen, or is the answering ECU. */
  readonly seenTime: number | undefined;
  /** The last that is known. */
  readonly status: EcuStatus | undefined;
}

interface Vehicle {
  readonly ownId: EcuId;
  readonly own: EcuStatus | undefined;
  readonly availableEcuIds: readonly EcuId[];
  readonly children: readonly ChildRecord[];
}

/** Every ECU that belongs to the vehicle, by report or by configuration: parents before what is below them. */
export function censusOf(vehicle: Vehicle, isSilent: (child: ChildRecord) => boolean): readonly Registered[] {
  const { ownId, own, availableEcuIds, children } = vehicle;
  const found = new Map<EcuId, Registered>();
  const add = (ecu: Registered): void => {
    if (!found.has(ecu.ecuId)) found.set(ecu.ecuId, ecu);
  };
  add({
    ecuId: ownId,
    parentEcuId: undefined,
    reachability: 'reachable',
    seenTime: undefined,
    status: own,
  });
  for (const child of children) {
    const silent = isSilent(child);
    if (!child.sightings.has(child.id)) add(neverSeen(child.id, ownId));
    for (const [ecuId, { status, seenTime }] of child.sightings) {
      const answers = !silent && child.current.has(ecuId);
      add({
        ecuId,
        parentEcuId: status.parentEcuId,
        reachability: answers ? 'reachable' : 'silent',
        seenTime,
        status,
      });
    }
  }
  for (const id of availableEcuIds) add(neverSeen(id, undefined));
  return inTreeOrder([...found.values()]);
}

function neverSeen(ecuId: EcuId, parentEcuId: EcuId | undefined): Registered {
  return { ecuId, parentEcuId, reachability: 'never_seen', seenTime: undefined, status: undefined };
}

/** Whose parent is not known, or is below itself, comes at the top. */
function inTreeOrder(ecus: readonly Registered[]): Registered[] {
  const below = Map.groupBy(ecus, ({ parentEcuId }) => parentEcuId);
  const ordered = new Map<EcuId, Registered>();
  const visit = (ecu: Registered): void => {
    if (ordered.has(ecu.ecuId)) return;
    ordered.set(ecu.ecuId, ecu);
    for (const child of below.get(ecu.ecuId) ?? []) visit(child);
  };
  const known = new Set(ecus.map(({ ecuId }) => ecuId));
  const isTop = ({ parentEcuId }: Registered) => parentEcuId === undefined || !known.has(parentEcuId);
  for (const ecu of ecus.filter(isTop)) visit(ecu);
  for (const ecu of ecus) visit(ecu);
  return [...ordered.values()];
}
