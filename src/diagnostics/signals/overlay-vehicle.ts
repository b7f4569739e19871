import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';
import { withoutSeen } from '#domain/condition-words.ts';
import type { EcuStatus } from '#domain/status.ts';

/** Root of all signals of ours. */
export const overlayRoot = 'Vehicle.OTA';

/** One leaf of our overlay that is of the vehicle as the answering ECU sees it. */
export interface VehicleSignal {
  /** Behind `Vehicle.OTA.` */
  readonly name: string;
  readonly datatype: VssDatatype;
  readonly description: string;
  /** `own`: the answering ECU, which is among `all`. Undefined when there is no value: then nothing is published. */
  readonly of: (own: EcuStatus, all: readonly EcuStatus[]) => VssValue | undefined;
}

/** What a service of the vehicle wants to know without looking at every ECU. */
export const vehicleSignals: readonly VehicleSignal[] = [
  {
    name: 'State',
    datatype: 'string',
    description: 'State of the OTA client that answers for the vehicle, such as UPDATING or SUCCESS.',
    of: (own) => own.status,
  },
  {
    name: 'ClientVersion',
    datatype: 'string',
    description: 'Version of the OTA client that answers for the vehicle.',
    of: (own) => own.otaclientVersion,
  },
  {
    name: 'IsUpdateBlocked',
    datatype: 'boolean',
    description: 'Whether conditions of the vehicle keep any ECU from being updated.',
    of: (_, all) => all.some(({ waitingFor }) => waitingFor.length > 0),
  },
  {
    name: 'BlockReasons',
    datatype: 'string[]',
    description:
      'Conditions of the vehicle that are not fulfilled, each behind the name of the ECU that waits.',
    of: (_, all) =>
      all.flatMap(({ ecuId, waitingFor }) => waitingFor.map((line) => `${ecuId}: ${withoutSeen(line)}`)),
  },
  {
    name: 'LastError',
    datatype: 'string',
    description: 'Failures of all ECUs, each behind its name; empty when there are none.',
    of: (_, all) =>
      all
        .flatMap(({ ecuId, failure }) => (failure === undefined ? [] : [`${ecuId}: ${failure.reason}`]))
        .join('; '),
  },
];
