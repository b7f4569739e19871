import { OtaFailure } from '#domain/failure.ts';
import type { CommandResult } from '#host/command.ts';
import { CommandError, runCommand } from '#host/command.ts';

/** A command that must end with exit code 0 before a newly booted release is kept. */
export interface HealthCheck {
  readonly name: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** So much of what a failing check wrote goes into the failure's reason. */
const maxTailChars = 300;
const maxTailLines = 3;

/**
 * Runs the checks one after the other; the first that fails ends it. They find the root of the booted slot in
 * `OTA_SLOT_ROOT` and its version in `OTA_VERSION`. Errors: OtaFailure `health_check_failed` with the name of the check,
 * how it ended and the last lines it wrote.
 */
export async function runHealthChecks(
  checks: readonly HealthCheck[],
  release: { readonly root: string; readonly version: string },
  signal: AbortSignal,
): Promise<void> {
  const env = { OTA_SLOT_ROOT: release.root, OTA_VERSION: release.version };
  for (const { name, command, timeoutMs } of checks) {
    const [program, ...args] = command;
    if (program === undefined) continue;
    let result: CommandResult;
    try {
      result = await runCommand({ argv: [program, ...args], env, timeoutMs, maxOutputBytes: 4096 }, signal);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw failed(name, error.message, error.output, error);
    }
    if (result.exitCode === 0) continue;
    const how =
      result.exitCode === undefined ? `ended by ${result.signal}` : `ended with exit code ${result.exitCode}`;
    throw failed(name, how, `${result.stdout}\n${result.stderr}`);
  }
}

function failed(name: string, how: string, output: string, cause?: unknown): OtaFailure {
  const lines = output.split(/[\p{Cc}]+/u).filter((line) => line.trim() !== '');
  const tail = lines.slice(-maxTailLines).join(' / ').slice(-maxTailChars);
  const told = tail === '' ? '' : `, and wrote: ${tail}`;
  return new OtaFailure(
    'health_check_failed',
    `check ${name} ${how}${told}`,
    cause === undefined ? {} : { cause },
  );
}
