import type { ProbeFailure } from '#domain/trial-end.ts';
import type { CommandResult } from '#host/command.ts';
import { CommandError, runCommand } from '#host/command.ts';
import { systemctlEnvironment } from '#host/systemctl.ts';

const keptBytes = 4096;

/**
 * Runs a command, which passes by ending with exit code 0 within `timeoutMs`; later it is killed with all it started.
 * Errors: only the signal's reason.
 */
export async function probeCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeFailure | undefined> {
  const result = await run(argv, env, timeoutMs, signal);
  if (!('exitCode' in result)) return result;
  if (result.exitCode === 0) return undefined;
  const how =
    result.exitCode === undefined ? `ended by ${result.signal}` : `ended with exit code ${result.exitCode}`;
  return { how, output: `${result.stdout}\n${result.stderr}`.trim() };
}

/** Asks systemd whether a unit is active. Errors: only the signal's reason. */
export async function probeUnit(
  unit: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeFailure | undefined> {
  const result = await run(['systemctl', 'is-active', '--', unit], systemctlEnvironment, timeoutMs, signal);
  if (!('exitCode' in result)) return result;
  if (result.exitCode === 0) return undefined;
  const state = result.stdout.trim();
  if (state === '') return { how: 'could not be asked for', output: result.stderr.trim() };
  return { how: `is ${state}`, output: await unitOutput(unit, timeoutMs, signal) };
}

/** What the unit last said, for the report. */
async function unitOutput(unit: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  const argv = ['journalctl', '--boot', '--unit', unit, '--lines', '20', '--no-pager', '--output', 'cat'];
  const result = await run(argv, {}, Math.min(timeoutMs, 5000), signal);
  return 'exitCode' in result ? result.stdout.trim() : '';
}

async function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CommandResult | ProbeFailure> {
  const [program = '', ...args] = argv;
  try {
    return await runCommand({ argv: [program, ...args], env, timeoutMs, maxOutputBytes: keptBytes }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof CommandError)) throw error;
    return { how: error.message, output: error.output };
  }
}
