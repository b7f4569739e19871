import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';

/** How diagnostics themselves fare, as signals below `Vehicle.OTA.Diag`. */
export const diagnosticsRoot = 'Vehicle.OTA.Diag';

/** Sizes are `uint64` without a unit: the catalog has none for them. */
export const diagnosticsSignals = {
  SpoolBytes: { datatype: 'uint64', description: 'Bytes of diagnostics that wait for their upload.' },
  SpoolSegments: { datatype: 'uint32', description: 'Files of diagnostics that wait for their upload.' },
  DroppedSamples: { datatype: 'uint64', description: 'Values that could not be stored.' },
  UploadedBytes: { datatype: 'uint64', description: 'Bytes of diagnostics that were uploaded.' },
  UploadFailures: { datatype: 'uint64', description: 'Uploads that failed.' },
  OldestSegmentAge: {
    datatype: 'uint32',
    unit: 's',
    description: 'Age of what waits longest for its upload.',
  },
  ClockJump: {
    datatype: 'double',
    unit: 's',
    description: 'How far the wall clock was set, forward or back.',
  },
} as const satisfies Readonly<
  Record<string, { readonly datatype: VssDatatype; readonly unit?: string; readonly description: string }>
>;

/** Those that have a value at any time, unlike events. */
export const diagnosticsPaths: readonly string[] = Object.keys(diagnosticsSignals)
  .filter((name) => name !== 'ClockJump')
  .map((name) => `${diagnosticsRoot}.${name}`);
