import type { EcuId } from '#domain/ecu.ts';
import { updatePhases } from '#domain/phase.ts';
import { type EcuStatus, isBusy } from '#domain/status.ts';

/** The vehicle in sets of ECUs. Only ECUs that were heard of are in any set. */
export interface Overview {
  /** At work, or about to be: a request was just accepted. */
  readonly inUpdate: ReadonlySet<EcuId>;
  readonly failed: ReadonlySet<EcuId>;
  readonly success: ReadonlySet<EcuId>;
  /** Silent for so long that nobody waits for them any more; in no other set. */
  readonly lost: ReadonlySet<EcuId>;
  /** Children and descendants that are in update. */
  readonly childrenInUpdate: ReadonlySet<EcuId>;
  /** Whether any ECU needs the network for its update, so that a proxy has to run. */
  readonly needsNetwork: boolean;
  /** Whether every ECU of a campaign is in `success`. */
  readonly allSuccess: boolean;
}

/** What the overview is made from. */
export interface KnownEcu {
  readonly status: EcuStatus | undefined;
  readonly isLost: boolean;
  /** Accepted a request, and nothing newer was heard of it. */
  readonly isAccepted: boolean;
}

export function overviewOf(
  known: ReadonlyMap<EcuId, KnownEcu>,
  ownId: EcuId,
  availableEcuIds: readonly EcuId[],
): Overview {
  const ids = [...known.keys()];
  const where = (test: (ecu: KnownEcu) => boolean) =>
    new Set(
      ids.filter((id) => {
        const ecu = known.get(id);
        return ecu !== undefined && test(ecu);
      }),
    );
  const here = (test: (ecu: KnownEcu) => boolean) => where((ecu) => !ecu.isLost && test(ecu));
  const inUpdate = here(isInUpdate);
  const success = here(({ status, isAccepted }) => status?.status === 'SUCCESS' && !isAccepted);
  return {
    inUpdate,
    success,
    failed: here(({ status, isAccepted }) => status?.status === 'FAILURE' && !isAccepted),
    lost: where(({ isLost }) => isLost),
    childrenInUpdate: new Set([...inUpdate].filter((id) => id !== ownId)),
    needsNetwork: here((ecu) => ecu.isAccepted || needsNetwork(ecu.status)).size > 0,
    allSuccess: availableEcuIds.every((id) => success.has(id)),
  };
}

function isInUpdate({ status, isAccepted }: KnownEcu): boolean {
  return isAccepted || (status !== undefined && isBusy(status.status));
}

const lastPhaseWithNetwork = updatePhases.indexOf('DOWNLOADING_OTA_FILES');

function needsNetwork(status: EcuStatus | undefined): boolean {
  if (status?.status === 'CLIENT_UPDATING') return true;
  if (status?.status !== 'UPDATING') return false;
  return updatePhases.indexOf(status.progress?.phase ?? 'INITIALIZING') <= lastPhaseWithNetwork;
}
