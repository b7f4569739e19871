import type { VssDatatype } from '#diagnostics/messages/vss-value.ts';

/** How a host fares, as signals below `Vehicle.OTA.ECU.<Name>.Host`. */
export const hostSignals = {
  CpuUtilization: { datatype: 'float', unit: 'percent', description: 'How busy the processor is.' },
  MemoryUtilization: { datatype: 'float', unit: 'percent', description: 'How full the memory is.' },
  DiskUtilization: {
    datatype: 'float',
    unit: 'percent',
    description: "How full the disk with the client's state is.",
  },
  Temperature: {
    datatype: 'float',
    unit: 'Celsius',
    description: 'Temperature at the hottest place that the kernel knows.',
  },
} as const satisfies Readonly<
  Record<string, { readonly datatype: VssDatatype; readonly unit: string; readonly description: string }>
>;
