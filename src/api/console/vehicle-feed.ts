import { randomUUID } from 'node:crypto';
import { create, equals, type MessageInitShape } from '@bufbuild/protobuf';
import type { EcuId } from '#domain/ecu.ts';
import { ProgressOutlook } from '#ecu/progress-outlook.ts';
import { Pulse } from '#ecu/pulse.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import type { RevisionSchema, WatchVehicleResponseSchema } from '#gen/ota/console/v1/console_pb.ts';
import {
  type Ecu,
  EcuSchema,
  Reachability,
  type Vehicle,
  VehicleSchema,
} from '#gen/ota/console/v1/types_pb.ts';
import { ecuToWire } from './wire-vehicle.ts';

/** Changes that come faster are told together. Milliseconds. */
const gatherMs = 200;

/** ECUs that are gone are remembered for those who resume; more than that, and they get everything anew. */
const maxGone = 1024;

interface Entry {
  readonly ecu: Ecu;
  readonly changedIn: number;
}

type Content = MessageInitShape<typeof WatchVehicleResponseSchema>['content'];

export interface FeedOptions {
  readonly store: Pick<StatusStore, 'census' | 'subscribe' | 'ownId' | 'availableEcuIds'>;
  readonly vehicleId: string;
  readonly gatherMs?: number;
}

/**
 * The vehicle as people see it, with a number for every change. Those who watch are given what is different from what
 * they have, when they ask: nothing is kept for any of them.
 */
export class VehicleFeed implements Disposable {
  readonly #options: FeedOptions;
  readonly #epoch = randomUUID();
  readonly #outlook = new ProgressOutlook();
  readonly #pulse = new Pulse();
  readonly #gone = new Map<EcuId, number>();
  readonly #unsubscribe: () => void;
  #entries: ReadonlyMap<EcuId, Entry> = new Map();
  #number = 0;
  #earliest = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#look();
    this.#unsubscribe = options.store.subscribe(() => {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, options.gatherMs ?? gatherMs);
    });
  }

  get revision(): { readonly epoch: string; readonly number: bigint } {
    return { epoch: this.#epoch, number: BigInt(this.#number) };
  }

  vehicle(): Vehicle {
    const { store, vehicleId } = this.#options;
    return create(VehicleSchema, {
      vehicleId,
      ownEcuId: store.ownId,
      ecus: [...this.#entries.values()].map(({ ecu }) => ecu),
      campaignEcuIds: [...store.availableEcuIds],
    });
  }

  /** What somebody has to be told who has seen everything up to `after`; undefined when it is nothing. */
  since(after: MessageInitShape<typeof RevisionSchema> | undefined): Content | undefined {
    const number = Number(after?.number ?? -1n);
    const isKnown = after?.epoch === this.#epoch && number >= this.#earliest && number <= this.#number;
    if (!isKnown) return { case: 'snapshot', value: this.vehicle() };
    if (number === this.#number) return undefined;
    const ecus = [...this.#entries.values()].filter(({ changedIn }) => changedIn > number);
    const removed = [...this.#gone].filter(([, goneIn]) => goneIn > number);
    return {
      case: 'change',
      value: { ecus: ecus.map(({ ecu }) => ecu), removedEcuIds: removed.map(([id]) => id) },
    };
  }

  /** Resolves after the next change, after `limitMs`, or when `signal` is aborted; true when it was a change. */
  next(limitMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#pulse.next(limitMs, signal);
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  #look(): void {
    const number = this.#number + 1;
    const now = performance.now();
    const entries = new Map<EcuId, Entry>();
    let changed = false;
    for (const registered of this.#options.store.census()) {
      const { status } = registered;
      const outlook = status === undefined ? undefined : this.#outlook.observe(status, now);
      const ecu = ecuToWire(registered, outlook);
      const before = this.#entries.get(ecu.ecuId);
      const same = before !== undefined && isSame(before.ecu, ecu);
      entries.set(ecu.ecuId, same ? { ecu, changedIn: before.changedIn } : { ecu, changedIn: number });
      changed ||= !same;
      this.#gone.delete(ecu.ecuId);
    }
    for (const id of this.#entries.keys()) {
      if (entries.has(id)) continue;
      this.#gone.set(id, number);
      changed = true;
    }
    for (const [id, goneIn] of this.#gone) {
      if (this.#gone.size <= maxGone) break;
      this.#gone.delete(id);
      this.#earliest = goneIn;
    }
    this.#entries = entries;
    if (!changed) return;
    this.#number = number;
    this.#pulse.beat();
  }
}

/** That a reachable ECU was heard of again is no news. */
function isSame(before: Ecu, after: Ecu): boolean {
  if (before.reachability !== after.reachability || after.reachability !== Reachability.REACHABLE)
    return equals(EcuSchema, before, after);
  const { lastSeenTime: _before, ...rest } = before;
  const current = after.lastSeenTime === undefined ? rest : { ...rest, lastSeenTime: after.lastSeenTime };
  return equals(EcuSchema, current, after);
}
