import { pino } from 'pino';
import type { Log } from '#domain/log.ts';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Fields that hold secrets wherever they come from. Nobody should log them; this is the second lock. */
const secretFields = ['cookies', 'cookie', 'authorization', 'token', 'password', 'key', 'pem'];

/** JSON lines on stderr, with the ECU's name in each. Written at once: the last line before an end is not lost. */
export function createDaemonLog(level: LogLevel, ecuId: string): Log {
  const paths = secretFields.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level, base: { ecu: ecuId, pid: process.pid }, redact: { paths, censor: '(not shown)' } },
    pino.destination({ fd: 2, sync: true }),
  );
}
