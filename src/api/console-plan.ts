import type { UpdateRequestEntry } from '#domain/release.ts';
import type { CallContext } from '#ecu/ecu.ts';
import type { Amount, EcuPlan } from '#gen/ota/console/v1/types_pb.ts';
import type { ConsoleClient } from './console-client.ts';

interface PlannedAmount {
  readonly files: number;
  /** Uncompressed. */
  readonly bytes: number;
}

/** What an update would do to one ECU, as the console tells it. */
export interface PlannedEcu {
  readonly ecuId: string;
  /** Undefined when the ECU cannot tell: it may be updated all the same. */
  readonly work:
    | {
        readonly total: PlannedAmount;
        readonly copy: PlannedAmount;
        readonly link: PlannedAmount;
        readonly download: PlannedAmount;
        /** Estimate until the reboot; undefined where there is none. */
        readonly durationMs: number | undefined;
        /** What the standby slot needs, and has. */
        readonly neededBytes: number;
        readonly availableBytes: number;
      }
    | undefined;
  /** Why the ECU would refuse the update now; empty when it would not. */
  readonly refusals: readonly string[];
  /** Why nothing is known of the work. */
  readonly unknownReason: string;
}

/** Asks what an update would do; changes nothing. Throws ConsoleError. */
export async function planVehicle(
  client: ConsoleClient,
  entries: readonly UpdateRequestEntry[],
  call: CallContext,
): Promise<PlannedEcu[]> {
  const targets = entries.map(({ force = false, ...entry }) => ({ ...entry, force }));
  const { plans } = await client.ask('planUpdate', { targets }, call);
  return plans.map(planFromWire);
}

/** The ECUs of update campaigns, as the console knows them. Throws ConsoleError. */
export async function campaignEcuIds(client: ConsoleClient, call: CallContext): Promise<readonly string[]> {
  const { vehicle } = await client.ask('getVehicle', {}, call);
  return vehicle?.campaignEcuIds ?? [];
}

function planFromWire(plan: EcuPlan): PlannedEcu {
  const { ecuId, isKnown, duration, refusals, unknownReason } = plan;
  const work = {
    total: amount(plan.total),
    copy: amount(plan.copy),
    link: amount(plan.link),
    download: amount(plan.download),
    durationMs: duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6,
    neededBytes: Number(plan.neededBytes),
    availableBytes: Number(plan.availableBytes),
  };
  return { ecuId, work: isKnown ? work : undefined, refusals, unknownReason };
}

function amount(wire: Amount | undefined): PlannedAmount {
  return { files: Number(wire?.files ?? 0n), bytes: Number(wire?.bytes ?? 0n) };
}
