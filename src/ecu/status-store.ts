import type { EcuId } from '#domain/ecu.ts';
import type { Log } from '#domain/log.ts';
import { type EcuStatus, isBusy } from '#domain/status.ts';
import { censusOf, type Registered } from './census.ts';
import { ChildRecord, type Sighting } from './child-record.ts';
import type { ChildReport, LocalEcu, VehicleReport } from './ecu.ts';
import { type KnownEcu, type Overview, overviewOf } from './overview.ts';

export interface StatusStoreOptions {
  readonly ownId: EcuId;
  /** Direct children. */
  readonly childIds: readonly EcuId[];
  /** From configuration; what Status answers, and in which order ECUs come. */
  readonly availableEcuIds: readonly EcuId[];
  readonly log: Log;
  /** A child that misses polls for this long is left out of Status, with all that lies below it. Milliseconds. */
  readonly dropAfterMs?: number;
  /** An ECU that was not heard of for this long counts as lost. Milliseconds. */
  readonly lostAfterMs?: number;
  /** How long an accepted request counts as work although the ECU does not show it yet. Milliseconds. */
  readonly acceptedHoldMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** What has changed: an ECU's status, or what is expected of children because they accepted a request. */
export type StoreChange = 'status' | 'accepted';

interface Acceptance {
  readonly at: number;
  readonly before: EcuStatus | undefined;
}

/** Most claims of children that are logged, so that a lying child does not fill the log. */
const maxLoggedClaims = 100;

/** Snapshots of this ECU and of all that is below it: the only thing that Status, reboot gate and proxy look at. */
export class StatusStore {
  readonly ownId: EcuId;
  readonly availableEcuIds: readonly EcuId[];
  readonly #log: Log;
  readonly #dropAfterMs: number;
  readonly #lostAfterMs: number;
  readonly #acceptedHoldMs: number;
  readonly #now: () => number;
  readonly #children: ReadonlyMap<EcuId, ChildRecord>;
  readonly #accepted = new Map<EcuId, Acceptance>();
  readonly #listeners = new Set<(change: StoreChange) => void>();
  readonly #loggedClaims = new Set<string>();
  #own: EcuStatus | undefined;

  constructor(options: StatusStoreOptions) {
    this.ownId = options.ownId;
    this.availableEcuIds = options.availableEcuIds;
    this.#log = options.log;
    this.#dropAfterMs = options.dropAfterMs ?? 3000;
    this.#lostAfterMs = options.lostAfterMs ?? 1_200_000;
    this.#acceptedHoldMs = options.acceptedHoldMs ?? 15_000;
    this.#now = options.now ?? (() => performance.now());
    this.#children = new Map(options.childIds.map((id) => [id, new ChildRecord(id)]));
  }

  /** Takes this ECU's status from `local`, now and after every change. Returns how to stop that. */
  follow(local: LocalEcu): () => void {
    const take = (status: EcuStatus | undefined) => {
      this.#own = status;
      this.#tell('status');
    };
    const stop = local.subscribe(take);
    take(local.status());
    return stop;
  }

  /** Takes what a child answered to a poll that was sent at `askedAt`, as `performance.now()`. */
  take(childId: EcuId, report: ChildReport, askedAt: number): void {
    const child = this.#children.get(childId);
    if (child === undefined) return;
    const now = this.#now();
    const ecus = report.ecus
      .filter(({ ecuId }) => this.#mayReport(child, ecuId, now))
      .map((status) => ({ ...status, parentEcuId: this.#parentOf(status, childId) }));
    child.take(ecus, askedAt, now);
    for (const status of ecus) this.#settle(status, askedAt, now);
    this.#tell('status');
  }

  /** A child did not answer a poll. */
  miss(childId: EcuId): void {
    this.#children.get(childId)?.miss(this.#now());
    this.#tell('status');
  }

  /**
   * ECUs below this one accepted a request: they count as in update until their status shows it, or shows that it is
   * over already, or the hold ends. Existing daemons show an accepted update only after a second or more. Children are
   * polled at once.
   */
  accept(ids: Iterable<EcuId>): void {
    const at = this.#now();
    for (const id of ids) {
      if (id !== this.ownId) this.#accepted.set(id, { at, before: this.#sighting(id)?.status });
    }
    this.#tell('accepted');
  }

  /** When the poll was sent that brought a child's last report; undefined when there is none yet. */
  lastAskedAt(childId: EcuId): number | undefined {
    return this.#children.get(childId)?.lastAskedAt;
  }

  /** Whether every child has answered a poll, or let one pass. */
  wasEveryChildPolled(): boolean {
    return [...this.#children.values()].every(({ wasPolled }) => wasPolled);
  }

  /** The direct child that is this ECU or leads to it, as far as is known. */
  childFor(id: EcuId): EcuId | undefined {
    if (this.#children.has(id)) return id;
    return [...this.#children.values()].find((child) => child.sightings.has(id))?.id;
  }

  /** What is answered to Status. Undefined until the own status is known, unless this ECU is in no campaign. */
  report(): VehicleReport | undefined {
    if (this.#own === undefined && this.availableEcuIds.includes(this.ownId)) return undefined;
    const now = this.#now();
    const shown = new Map<EcuId, EcuStatus>();
    if (this.#own !== undefined) shown.set(this.#own.ecuId, this.#own);
    for (const child of this.#children.values()) {
      if (child.isSilent(now, this.#dropAfterMs)) continue;
      for (const [id, { status }] of child.sightings) if (child.current.has(id)) shown.set(id, status);
    }
    const ids = new Set([...this.availableEcuIds, ...shown.keys()]);
    return {
      availableEcuIds: this.availableEcuIds,
      ecus: [...ids].flatMap((id) => shown.get(id) ?? []),
    };
  }

  /** Every ECU that belongs to the vehicle, also those that Status leaves out. */
  census(): readonly Registered[] {
    const { ownId, availableEcuIds } = this;
    const children = [...this.#children.values()];
    return censusOf({ ownId, own: this.#own, availableEcuIds, children }, (child) =>
      child.isSilent(this.#now(), this.#dropAfterMs),
    );
  }

  /** Derived from the last that was heard of every ECU, whether or not Status still shows it. */
  overview(): Overview {
    const now = this.#now();
    const known = new Map<EcuId, KnownEcu>();
    const add = (id: EcuId, sighting: Pick<Sighting, 'status' | 'seenAt'> | undefined) =>
      known.set(id, {
        status: sighting?.status,
        isLost: sighting !== undefined && now - sighting.seenAt > this.#lostAfterMs,
        isAccepted: this.#isAccepted(id, now),
      });
    if (this.#own !== undefined) add(this.ownId, { status: this.#own, seenAt: now });
    for (const { sightings } of this.#children.values()) {
      for (const [id, sighting] of sightings) add(id, sighting);
    }
    for (const id of this.#accepted.keys()) if (!known.has(id)) add(id, undefined);
    return overviewOf(known, this.ownId, this.availableEcuIds);
  }

  /** Calls `listener` after every change; returns how to stop that. */
  subscribe(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A child speaks for itself and for what lies below it; never for this ECU or for what another child reports. */
  #mayReport(child: ChildRecord, id: EcuId, now: number): boolean {
    const owner = id === this.ownId ? this.ownId : this.childFor(id);
    if (owner === undefined || owner === child.id) return true;
    const former = this.#children.get(owner);
    // An ECU that moved: the child that it was behind is gone, or does not report it any more.
    const isOpen = former?.isSilent(now, this.#dropAfterMs) === true || former?.current.has(id) === false;
    if (former !== undefined && owner !== id && isOpen) {
      former.forget(id);
      return true;
    }
    const claim = `${child.id} ${id}`;
    if (!this.#loggedClaims.has(claim) && this.#loggedClaims.size < maxLoggedClaims) {
      this.#loggedClaims.add(claim);
      this.#log.warn(
        { child: child.id, ecu: id, owner },
        'child reports an ECU that is not below it: ignored',
      );
    }
    return false;
  }

  /** Who does not say what is above an ECU is taken for it: peers of another make report all that is below them. */
  #parentOf({ ecuId, parentEcuId }: EcuStatus, childId: EcuId): EcuId {
    if (ecuId === childId) return this.ownId;
    return parentEcuId === undefined || parentEcuId === ecuId ? childId : parentEcuId;
  }

  #settle(status: EcuStatus, askedAt: number, now: number): void {
    const acceptance = this.#accepted.get(status.ecuId);
    if (acceptance === undefined || askedAt < acceptance.at) return;
    const { before } = acceptance;
    const isOver =
      before !== undefined &&
      (before.status !== status.status ||
        before.firmwareVersion !== status.firmwareVersion ||
        before.failure?.reason !== status.failure?.reason);
    if (isBusy(status.status) || isOver || !this.#isAccepted(status.ecuId, now)) {
      this.#accepted.delete(status.ecuId);
    }
  }

  #isAccepted(id: EcuId, now: number): boolean {
    const acceptance = this.#accepted.get(id);
    if (acceptance === undefined) return false;
    if (now - acceptance.at < this.#acceptedHoldMs) return true;
    this.#accepted.delete(id);
    return false;
  }

  #sighting(id: EcuId): Sighting | undefined {
    return this.#children.get(this.childFor(id) ?? '')?.sightings.get(id);
  }

  #tell(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
