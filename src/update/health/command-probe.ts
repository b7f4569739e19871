import type { ProbeFailure } from '#domain/trial-end.ts';
import type { CommandResult } from '#host/command.ts';
import { CommandError, runCommand } from '#host/command.ts';
import { systemctlEnvironment } from '#host/systemctl.ts';

const keptBytes = 4096;

/** What `systemctl is-active` takes for active. */
const upStates: ReadonlySet<string> = new Set(['active', 'reloading', 'refreshing']);

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

/**
 * Asks systemd again and again whether a unit is active. One that systemd restarted since it was asked last (`NRestarts`)
 * has failed once, though it is active now: between two questions, a service that crashes again and again mostly is.
 */
export class UnitProbe {
  readonly #unit: string;
  readonly #timeoutMs: number;
  #restarts: number | undefined;

  constructor(unit: string, timeoutMs: number) {
    this.#unit = unit;
    this.#timeoutMs = timeoutMs;
  }

  /** Errors: only the signal's reason. */
  async ask(signal: AbortSignal): Promise<ProbeFailure | undefined> {
    const argv = ['systemctl', 'show', '--property', 'LoadState,ActiveState,NRestarts', '--', this.#unit];
    const result = await run(argv, systemctlEnvironment, this.#timeoutMs, signal);
    if (!('exitCode' in result)) return result;
    const { stdout, stderr } = result;
    const {
      LoadState,
      ActiveState,
      NRestarts = '0',
    } = Object.fromEntries(
      stdout.split('\n').map((line) => line.split('=', 2) as [string, string]),
    ) as Partial<Record<string, string>>;
    if (ActiveState === undefined) return { how: 'could not be asked for', output: stderr.trim() };
    if (LoadState === 'not-found') return { how: 'does not exist', output: '' };
    const before = this.#restarts;
    this.#restarts = Number(NRestarts);
    let how: string | undefined;
    if (!upStates.has(ActiveState)) how = `is ${ActiveState}`;
    else if (before !== undefined && this.#restarts > before) how = 'was restarted, because it had ended';
    if (how === undefined) return undefined;
    return { how, output: await unitOutput(this.#unit, this.#timeoutMs, signal) };
  }
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
