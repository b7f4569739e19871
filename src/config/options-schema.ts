import { isIP } from 'node:net';
import * as z from 'zod';
import { bootOptions } from './boot-options.ts';
import { consoleOptions } from './console-options.ts';
import { diagnosticsOptions } from './diagnostics-options.ts';
import { healthChecks, healthOptions } from './health-options.ts';
import { commandLine, directory, flag, int, ms, section } from './option-kinds.ts';
import { persistOptions } from './persist-options.ts';
import { preconditionOptions } from './precondition-options.ts';

/** Marks options whose value is not shown, because it may hold a password. */
export const secretOptions = z.registry<{ secret: true }>();

const wrongIp = { error: 'write an IP address such as 0.0.0.0' };
const wrongProxy = { error: 'write a URL such as http://192.168.10.1:8082' };

/** Every option of the daemon. The table in docs/operations.md and the names of the variables are made from this. */
export const optionsSchema = z.object({
  listen: z
    .object(
      {
        host: z
          .string(wrongIp)
          .refine((text) => isIP(text) !== 0, wrongIp)
          .optional()
          .describe('address to listen on, where it is not `ip_addr` of `ecu_info.yml`'),
        port: int(50051, 1, 65535, 'port to listen on, where `ecu_info.yml` has no `port`'),
      },
      section,
    )
    .prefault({}),
  children: z
    .object(
      {
        request_timeout_ms: ms(
          8000,
          'limit for the answer of a child to Update, Rollback or Abort; shrinks per hop',
        ),
        status_timeout_ms: ms(6000, 'limit for the answer of a child to Status'),
        poll_active_ms: ms(1000, 'interval of polling children while any ECU is being updated'),
        poll_idle_ms: ms(10_000, 'interval of polling children otherwise'),
        lost_after_ms: ms(1_200_000, 'silence after which a child counts as lost and is not waited for'),
        reboot_wait_limit_ms: ms(
          7_200_000,
          'longest time to put off the own reboot because children are still being updated; 0 never waits',
          0,
        ),
      },
      section,
    )
    .prefault({}),
  state: z
    .object(
      {
        directory: directory('/var/lib/ota', "the daemon's own journal; must survive restarts of the daemon"),
      },
      section,
    )
    .prefault({}),
  trust: z
    .object(
      { directory: directory('/opt/ota/client/certs', 'installed root and intermediate certificates, PEM') },
      section,
    )
    .prefault({}),
  boot: bootOptions,
  persist: persistOptions,
  reboot: z
    .object(
      {
        command: commandLine
          .optional()
          .describe("command that reboots; without it, the boot control's own way"),
        exit_code: int(
          10,
          0,
          125,
          'exit code of the daemon when a reboot means that its supervisor starts it again',
        ),
      },
      section,
    )
    .prefault({}),
  health_checks: healthChecks,
  health: healthOptions,
  preconditions: preconditionOptions,
  download: z
    .object(
      {
        connections: int(16, 1, 256, 'downloads at the same time'),
        attempts: int(8, 1, 1000, 'attempts for one file that make no progress'),
        backoff_base_ms: ms(200, 'mean wait before the second attempt; doubles with each'),
        backoff_max_ms: ms(10_000, 'longest wait between two attempts'),
        no_progress_timeout_ms: ms(600_000, 'time without a single byte after which the update fails'),
        connect_timeout_ms: ms(10_000, 'limit for opening a connection'),
        headers_timeout_ms: ms(30_000, 'limit for the head of an answer'),
        body_timeout_ms: ms(30_000, 'longest pause within the body of an answer'),
        proxy_url: z
          .string(wrongProxy)
          .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), wrongProxy)
          .optional()
          .describe('HTTP proxy for all downloads')
          .register(secretOptions, { secret: true }),
      },
      section,
    )
    .prefault({}),
  workers: z
    .object({ count: int(0, 0, 8, 'threads that hash and copy; 0 chooses by the number of cores') }, section)
    .prefault({}),
  limits: z
    .object(
      {
        message_bytes: int(4_194_304, 65_536, 67_108_864, 'largest gRPC message that is taken or sent'),
      },
      section,
    )
    .prefault({}),
  allow: z
    .object(
      {
        rollback: flag(true, 'whether Rollback requests are taken'),
        reflection: flag(true, 'whether the gRPC reflection service is offered'),
      },
      section,
    )
    .prefault({}),
  console: consoleOptions,
  diagnostics: diagnosticsOptions,
  log: z
    .object(
      {
        level: z
          .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
            error: 'write fatal, error, warn, info, debug or trace',
          })
          .default('info')
          .describe('least severe messages that are written'),
      },
      section,
    )
    .prefault({}),
});
