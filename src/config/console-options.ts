import { isIP } from 'node:net';
import * as z from 'zod';
import { absolutePath, flag, int, ms, section } from './option-kinds.ts';

const wrongIp = { error: 'write an IP address such as 127.0.0.1' };
const wrongOrigin = { error: 'write a list of origins such as https://fleet.example:8443' };
const wrongHosts = { error: 'write a list of host names such as ota.example' };
const wrongNames = { error: 'write a list of names as they stand in certificates' };

function names(about: string) {
  return z
    .array(z.string(wrongNames).min(1, wrongNames).max(256, wrongNames), wrongNames)
    .max(256, wrongNames)
    .default([])
    .describe(about);
}

/** Options of the console: the API and the page for people. */
export const consoleOptions = z
  .object(
    {
      enabled: flag(true, 'whether people are served: console API, page, metrics'),
      host: z
        .string(wrongIp)
        .refine((text) => isIP(text) !== 0, wrongIp)
        .default('127.0.0.1')
        .describe('address to listen on for people'),
      port: int(8081, 1, 65535, 'port to listen on for people'),
      tokens_file: absolutePath
        .optional()
        .describe('file with who may come in by which token (docs/console.md); read again when it changes'),
      certificate_file: absolutePath
        .optional()
        .describe(
          'PEM file of the certificate and its chain; with it, TLS is spoken; these files are read again when they change',
        ),
      key_file: absolutePath.optional().describe('PEM file of its key'),
      client_ca_file: absolutePath
        .optional()
        .describe('PEM file of the authorities whose client certificates let people in'),
      client_viewers: names('common names and alternative names of client certificates of viewers'),
      client_operators: names('common names and alternative names of client certificates of operators'),
      origins: z
        .array(
          z
            .string(wrongOrigin)
            .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), wrongOrigin)
            .refine((text) => URL.parse(text)?.origin === text, wrongOrigin),
          wrongOrigin,
        )
        .max(64, wrongOrigin)
        .default([])
        .describe('origins of other pages that may call the console from a browser'),
      hosts: z
        .array(z.string(wrongHosts).regex(/^[\w.-]{1,253}$/, wrongHosts), wrongHosts)
        .max(64, wrongHosts)
        .default([])
        .describe('further host names under which a console on a loopback address is reached'),
      journal_bytes: int(
        16_777_216,
        65_536,
        1_073_741_824,
        'room on disk for the journal of events; the oldest go first',
      ),
      connections: int(1024, 8, 65535, 'most connections at the same time'),
      watchers: int(512, 1, 65535, 'most streams of changes at the same time'),
      watchers_per_caller: int(
        256,
        1,
        65535,
        'most streams of changes at the same time per name of a caller',
      ),
      requests_per_second: int(
        50,
        1,
        100_000,
        'requests per second and caller, with bursts of four times as many',
      ),
      request_bytes: int(1_048_576, 65_536, 67_108_864, 'largest request that is taken'),
      idle_timeout_ms: ms(60_000, 'time without a byte after which a connection is closed', 1000),
      heartbeat_ms: ms(10_000, 'interval of signs of life on streams on which nothing happens', 100),
    },
    section,
  )
  .prefault({});
