import { isIPv6 } from 'node:net';
import * as z from 'zod';
import { commandLine, int, ms, section } from './option-kinds.ts';
import { expressionText, maxAge } from './precondition-options.ts';

const wrongChecks = { error: 'write a list of at most 64 checks, each with name and what to check' };
const wrongName = { error: 'write a name of 1 to 64 printable characters' };
const wrongUnit = { error: 'write the name of a systemd unit such as camera.service' };
const wrongAddress = { error: 'write host:port such as 127.0.0.1:8080 or [::1]:8080' };
const wrongUrl = {
  error: 'write a URL such as http://127.0.0.1:8080/health, without user and password, and no port 0',
};
const wrongService = { error: 'write the name of a gRPC service such as vehicle.Camera' };

const kinds = ['command', 'unit', 'tcp', 'http', 'grpc', 'signal'] as const;
const oneKind = `write exactly one of ${kinds.join(', ')} into it`;

const address = z.string(wrongAddress).refine(isAddress, wrongAddress);

const healthCheck = z
  .strictObject(
    {
      name: z.string(wrongName).regex(/^[^\p{Cc}]{1,64}$/u, wrongName),
      command: commandLine.optional(),
      unit: z
        .string(wrongUnit)
        .regex(/^[\w:.\\@-]{1,255}$/, wrongUnit)
        .regex(/^[^-]/, wrongUnit)
        .optional(),
      tcp: address.optional(),
      http: z.string(wrongUrl).refine(isPlainUrl, wrongUrl).optional(),
      grpc: address.optional(),
      service: z
        .string(wrongService)
        .regex(/^[\w.]{1,255}$/, wrongService)
        .optional(),
      signal: expressionText.optional(),
      max_age_ms: maxAge.unwrap().optional(),
      timeout_ms: ms(60_000, 'limit for one run'),
    },
    {
      // A slip of the pen in `timeout_ms` or `max_age_ms` must not pass for their defaults.
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `take out ${issue.keys.join(', ')}: there are name, ${kinds.join(', ')}, service, max_age_ms and timeout_ms`
          : wrongChecks.error,
    },
  )
  .refine((check) => kinds.filter((kind) => check[kind] !== undefined).length === 1, { error: oneKind })
  .refine((check) => check.service === undefined || check.grpc !== undefined, {
    path: ['service'],
    error: 'leave it out, or write grpc beside it',
  })
  .refine((check) => check.max_age_ms === undefined || check.signal !== undefined, {
    path: ['max_age_ms'],
    error: 'leave it out, or write signal beside it',
  });

/** What is probed at the first boot of a release. */
export const healthChecks = z
  .array(healthCheck, wrongChecks)
  .max(64, wrongChecks)
  .default([])
  .describe(
    'probes that must pass at the first boot of a release, else the old one is booted again: list of `name`, one of ' +
      '`command` (list), `unit`, `tcp`, `http`, `grpc` (with `service`), `signal` (an expression, with `max_age_ms`), and `timeout_ms` (60000)',
  );

/** For how long, and how often. */
export const healthOptions = z
  .object(
    {
      hold_ms: ms(
        0,
        'how long all probes must keep passing before a release is kept; 0: each passes once',
        0,
      ),
      interval_ms: ms(5000, 'pause between two rounds of probes'),
      start_timeout_ms: ms(
        30_000,
        'how long a probe may fail after the first boot before that counts: services need time to come up',
        0,
      ),
      power_cycles: int(
        3,
        0,
        100,
        'how often a release that passed all probes once is booted again when the power fails before it is kept',
      ),
    },
    section,
  )
  .prefault({});

function isAddress(text: string): boolean {
  const match = /^(?:\[([\da-fA-F:.]+)\]|[^\s:/[\]@]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  return port >= 1 && port <= 65_535 && (match?.[1] === undefined || isIPv6(match[1]));
}

function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.port === '0') return false;
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}
