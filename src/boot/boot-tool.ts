import type { CommandResult } from '#host/command.ts';
import { CommandError, runCommand } from '#host/command.ts';
import type { BootErrorCode } from './boot-error.ts';
import { BootError } from './boot-error.ts';

/** A program that reads or changes what a boot loader or firmware keeps. */
export interface BootTool {
  /** Program, looked up on PATH unless it is absolute. */
  readonly program: string;
  /** How a missing program is mended, such as the package to install. */
  readonly mend: string;
  /** Milliseconds after which a call is killed: `boot.tool_timeout_ms`. */
  readonly timeoutMs: number;
  /** Added to the daemon's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a boot tool to its end, and takes every exit code for a result. It is not stopped with the daemon: what it
 * changes should be whole. Errors: BootError with `code`, when it is missing, cannot be run or hangs.
 */
export async function runBootTool(
  tool: BootTool,
  args: readonly string[],
  code: BootErrorCode,
): Promise<CommandResult> {
  const { program, env = {}, timeoutMs } = tool;
  const call = [program, ...args].join(' ');
  try {
    return await runCommand(
      { argv: [program, ...args], env, timeoutMs, maxOutputBytes: 1024 * 1024 },
      new AbortController().signal,
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const what =
      error.code === 'timed_out'
        ? `\`${call}\` hung and was killed after ${timeoutMs} ms; run it by hand, or set boot.tool_timeout_ms`
        : `\`${call}\` could not be run (${error.message}); ${tool.mend}`;
    throw new BootError(code, what, { cause: error });
  }
}

/** What a boot tool wrote to standard output. Errors: also BootError with `code`, when it ended with another code than 0. */
export async function bootToolOutput(
  tool: BootTool,
  args: readonly string[],
  code: BootErrorCode,
): Promise<string> {
  const result = await runBootTool(tool, args, code);
  if (result.exitCode === 0) return result.stdout;
  throw new BootError(code, `\`${[tool.program, ...args].join(' ')}\` ${howItEnded(result)}`);
}

/** Whether a call failed because its program could not be started, and not by what it did. */
export function isToolMissing(error: unknown): boolean {
  const cause = error instanceof BootError ? error.cause : undefined;
  return cause instanceof CommandError && cause.code === 'not_started';
}

/** How a tool ended and what it said last, for people. */
export function howItEnded({ exitCode, signal, stdout, stderr }: CommandResult): string {
  const how = exitCode === undefined ? `was ended by ${signal}` : `ended with exit code ${exitCode}`;
  const said = (stderr.trim() || stdout.trim()).slice(-500);
  return said === '' ? how : `${how}: ${said}`;
}
