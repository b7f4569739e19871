import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { capped, countToWire, millisToWire } from '#api/wire.ts';
import type { EcuId } from '#domain/ecu.ts';
import type { UpdateRequestEntry } from '#domain/release.ts';
import type { JudgedBox } from '#ecu/own-inspection.ts';
import type { OwnPlan } from '#ecu/own-planner.ts';
import {
  type BlackBox,
  BlackBoxSchema,
  type BlackBoxSummary,
  BlackBoxSummarySchema,
  type EcuPlan,
  EcuPlanSchema,
  type UpdateTarget,
} from '#gen/ota/console/v1/types_pb.ts';
import { returnCauses } from '#update/black-box/record.ts';
import type { Amount } from '#update/plan-update.ts';

/** More reasons than this are no help to anybody. */
const maxRefusals = 32;

export function entryFromTarget(target: UpdateTarget): UpdateRequestEntry {
  const { ecuId, version, url, cookies, releaseName, releaseId, imageId, force } = target;
  return { ecuId, version, url, cookies, releaseName, releaseId, imageId, force };
}

export function planToWire(ecuId: EcuId, { plan, durationMs, refusals, unknownReason }: OwnPlan): EcuPlan {
  return create(EcuPlanSchema, {
    ecuId,
    isKnown: plan !== undefined,
    ...(plan === undefined
      ? {}
      : {
          total: amountToWire(plan.total),
          copy: amountToWire(plan.copy),
          link: amountToWire(plan.link),
          download: amountToWire(plan.download),
          neededBytes: countToWire(plan.space.neededBytes),
          availableBytes: countToWire(plan.space.availableBytes),
        }),
    ...(durationMs === undefined ? {} : { duration: millisToWire(durationMs) }),
    refusals: [...refusals],
    unknownReason,
  });
}

/** Nothing is known; the ECU may be updated all the same. */
export function unknownPlan(ecuId: EcuId, unknownReason: string): EcuPlan {
  return create(EcuPlanSchema, { ecuId, isKnown: false, unknownReason });
}

/** What a child says, cut to its caps; it speaks for the ECU that it was asked about. */
export function boundedPlan(ecuId: EcuId, plan: EcuPlan): EcuPlan {
  return {
    ...plan,
    ecuId,
    refusals: plan.refusals.slice(0, maxRefusals).map((text) => capped(text, 'reason')),
    unknownReason: capped(plan.unknownReason, 'reason'),
  };
}

export function summaryToWire(ecuId: EcuId, { box, quarantined }: JudgedBox): BlackBoxSummary {
  return create(BlackBoxSummarySchema, {
    id: box.id,
    ecuId,
    time: timestampFromMs(box.at),
    cause: box.cause,
    why: returnCauses[box.cause],
    leftVersion: box.left.version,
    backInVersion: box.back_in.version,
    quarantined,
  });
}

export function blackBoxToWire(ecuId: EcuId, judged: JudgedBox): BlackBox {
  const { box } = judged;
  const { probe } = box;
  return create(BlackBoxSchema, {
    summary: summaryToWire(ecuId, judged),
    detail: box.detail,
    ...(probe === null
      ? {}
      : {
          failedProbe: {
            name: probe.name,
            kind: probe.kind,
            passes: false,
            output: [probe.how, probe.output].filter((text) => text !== '').join(': '),
          },
        }),
    timeline: box.timeline.map(({ at, by, step }) => ({ time: timestampFromMs(at), by, step })),
    evidence: box.evidence,
    missing: box.missing,
  });
}

function amountToWire({ files, bytes }: Amount) {
  return { files: countToWire(files), bytes: countToWire(bytes) };
}
