import * as z from 'zod';
import { absolutePath, flag, section } from './option-kinds.ts';

const wrongAddress = { error: 'write host:port such as 127.0.0.1:55555, or unix:/run/kuksa/databroker.sock' };
const wrongServerName = { error: 'write the name that the certificate has, such as databroker.vehicle' };
const wrongSpeed = { error: 'write a number from 0 to 1000000; 0 is as fast as the file can be read' };

/** `host:port` with an IPv6 host in brackets, or the path of a socket. */
function isAddress(text: string): boolean {
  if (/^unix:\/./.test(text)) return text.length <= 112;
  const port = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

/** A KUKSA databroker as a source of signals. */
export const kuksaOptions = z
  .object(
    {
      address: z
        .string(wrongAddress)
        .refine(isAddress, wrongAddress)
        .optional()
        .describe('KUKSA databroker (kuksa.val.v2) that signals come from; without it, none is asked'),
      tls: flag(false, 'whether the connection to the databroker is encrypted'),
      ca_file: absolutePath
        .optional()
        .describe("PEM file of authorities to trust for the databroker instead of Node's"),
      server_name: z
        .string(wrongServerName)
        .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/, wrongServerName)
        .optional()
        .describe("name in the databroker's certificate, where it is not the host"),
      token_file: absolutePath
        .optional()
        .describe(
          'file with a token for the databroker, read anew for every connection and once it is refused',
        ),
      publish: flag(false, 'whether `Vehicle.OTA.*` is published to the databroker'),
    },
    section,
  )
  .prefault({});

/** A recorded drive as a source of signals. */
export const replayOptions = z
  .object(
    {
      file: absolutePath
        .optional()
        .describe('recorded drive, CSV or JSON lines, that is played once at start'),
      speed: z
        .number(wrongSpeed)
        .min(0, wrongSpeed)
        .max(1_000_000, wrongSpeed)
        .default(1)
        .describe('how much faster than it was recorded; 0 is as fast as the file can be read'),
      loop: flag(false, 'whether it begins again at its end'),
      catalog: absolutePath
        .optional()
        .describe('vss.json that has the datatypes of its signals, where the drive does not say them'),
    },
    section,
  )
  .prefault({});

/** Options that make sense only with another one. */
export const sourceNeeds = [
  ['diagnostics.kuksa.tls', 'diagnostics.kuksa.address'],
  ['diagnostics.kuksa.token_file', 'diagnostics.kuksa.address'],
  ['diagnostics.kuksa.publish', 'diagnostics.kuksa.address'],
  // A token or a certificate that goes over an open line by mistake is what this is for.
  ['diagnostics.kuksa.ca_file', 'diagnostics.kuksa.tls'],
  ['diagnostics.kuksa.server_name', 'diagnostics.kuksa.tls'],
  ['diagnostics.replay.speed', 'diagnostics.replay.file'],
  ['diagnostics.replay.loop', 'diagnostics.replay.file'],
  ['diagnostics.replay.catalog', 'diagnostics.replay.file'],
] as const;
