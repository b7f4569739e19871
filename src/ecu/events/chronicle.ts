import type { EcuId } from '#domain/ecu.ts';
import { type EcuStatus, isBusy } from '#domain/status.ts';
import type { Reachability, Registered } from '#ecu/census.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import type { VehicleEvent } from './event.ts';
import type { EventJournal } from './event-journal.ts';

/** What was last written down of an ECU. */
interface Known {
  readonly state: string | undefined;
  readonly version: string | undefined;
  readonly phase: string | undefined;
  readonly reachability: Reachability | undefined;
}

const nothing: Known = { state: undefined, version: undefined, phase: undefined, reachability: undefined };

/**
 * Writes down every change of state, phase, version and reachability of every ECU. What the journal knows from earlier
 * lives is no news. Returns how to stop.
 */
export function keepChronicle(
  store: Pick<StatusStore, 'census' | 'subscribe'>,
  journal: Pick<EventJournal, 'note' | 'recent'>,
): () => void {
  const known = knownFrom(journal.recent);
  const look = (): void => {
    for (const ecu of store.census()) {
      const before = known.get(ecu.ecuId) ?? nothing;
      const after = next(before, ecu);
      if (after === before) continue;
      known.set(ecu.ecuId, after);
      tellReachability(journal, ecu, before, after);
      tellState(journal, ecu, before, after);
    }
  };
  const stop = store.subscribe((change) => {
    if (change === 'status') look();
  });
  look();
  return stop;
}

function next(before: Known, { reachability, status }: Registered): Known {
  // That nobody was heard of in this life yet is no change.
  const heard = reachability === 'never_seen' ? before.reachability : reachability;
  const state = status?.status ?? before.state;
  const version = status?.firmwareVersion ?? before.version;
  const phase = status === undefined ? before.phase : status.progress?.phase;
  const same =
    heard === before.reachability &&
    state === before.state &&
    version === before.version &&
    phase === before.phase;
  return same ? before : { reachability: heard, state, version, phase };
}

function tellReachability(
  journal: Pick<EventJournal, 'note'>,
  { ecuId, parentEcuId }: Registered,
  before: Known,
  { reachability }: Known,
): void {
  if (reachability === before.reachability || reachability === undefined || parentEcuId === undefined) return;
  const again = before.reachability === undefined ? 'answers' : 'answers again';
  journal.note({
    kind: 'reachability',
    ecuId,
    text: reachability === 'reachable' ? again : 'does not answer any more',
    details: {
      to: reachability,
      ...(before.reachability === undefined ? {} : { from: before.reachability }),
    },
  });
}

function tellState(
  journal: Pick<EventJournal, 'note'>,
  { ecuId, status }: Registered,
  before: Known,
  after: Known,
): void {
  if (status === undefined) return;
  const { state, version, phase } = after;
  if (state === before.state && version === before.version && phase === before.phase) return;
  // An update that ends has no phase any more, and its new state says so.
  if (state === before.state && version === before.version && phase === undefined) return;
  journal.note({
    kind: 'state',
    ecuId,
    text: inWords(status, before),
    details: {
      to: status.status,
      version: status.firmwareVersion,
      ...(before.state === undefined ? {} : { from: before.state }),
      ...(phase === undefined ? {} : { phase }),
      ...(status.progress === undefined ? {} : { target_version: status.progress.targetVersion }),
      ...(status.failure === undefined ? {} : { failure: status.failure.reason }),
    },
  });
}

function inWords(status: EcuStatus, before: Known): string {
  const { progress, failure, firmwareVersion } = status;
  const from = before.state === undefined || before.state === status.status ? '' : `${before.state} to `;
  const target =
    progress === undefined || progress.targetVersion === '' ? '' : ` to ${progress.targetVersion}`;
  const phase = progress === undefined ? '' : `, ${progress.phase.toLowerCase().replaceAll('_', ' ')}`;
  const runs = isBusy(status.status) || firmwareVersion === '' ? '' : `, runs ${firmwareVersion}`;
  const why = failure === undefined || failure.reason === '' ? '' : `: ${failure.reason}`;
  return `${from}${status.status}${target}${phase}${runs}${why}`;
}

/** What the newest events of earlier lives say. */
function knownFrom(events: readonly VehicleEvent[]): Map<EcuId, Known> {
  const known = new Map<EcuId, Known>();
  for (const { kind, ecuId, details = {} } of events) {
    if (ecuId === undefined) continue;
    const before = known.get(ecuId) ?? nothing;
    const { to } = details;
    if (kind === 'state') {
      known.set(ecuId, {
        ...before,
        state: to,
        version: details['version'],
        phase: details['phase'],
      });
    } else if (kind === 'reachability' && (to === 'reachable' || to === 'silent')) {
      known.set(ecuId, { ...before, reachability: to });
    }
  }
  return known;
}
