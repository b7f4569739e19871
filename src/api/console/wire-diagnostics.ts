import { create } from '@bufbuild/protobuf';
import { countToWire } from '#api/wire.ts';
import type { DiagnosticsStatus } from '#diagnostics/diagnostics-status.ts';
import { type Diagnostics, DiagnosticsSchema } from '#gen/ota/console/v1/types_pb.ts';

/** Undefined: they are off. */
export function diagnosticsToWire(status: DiagnosticsStatus | undefined): Diagnostics {
  if (status === undefined) return create(DiagnosticsSchema, { enabled: false });
  return create(DiagnosticsSchema, {
    enabled: true,
    sources: status.sources.map((source) => ({ ...source, samples: countToWire(source.samples) })),
    campaigns: status.campaigns.map((campaign) => ({
      ...campaign,
      samples: countToWire(campaign.samples),
      dropped: countToWire(campaign.dropped),
      triggered: countToWire(campaign.triggered),
    })),
    lanes: status.lanes.map((lane) => ({ ...lane, bytes: countToWire(lane.bytes) })),
    droppedSamples: countToWire(status.droppedSamples),
    evictedSegments: countToWire(status.evictedSegments),
    quarantinedSegments: countToWire(status.quarantinedSegments),
    uploadedSegments: countToWire(status.uploadedSegments),
    uploadedBytes: countToWire(status.uploadedBytes),
    uploadFailures: countToWire(status.uploadFailures),
    uploadWaitingFor: status.uploadWaitingFor,
    oldestSegmentAgeMs: countToWire(Math.round(status.oldestSegmentAgeMs)),
    collectedSegments: status.collectedSegments,
    collectedBytes: countToWire(status.collectedBytes),
  });
}
