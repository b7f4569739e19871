import type { Readable, Writable } from 'node:stream';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What a command may touch of the process that runs it. Tests hand in their own streams. */
export interface CliIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C or a termination signal. */
  readonly signal: AbortSignal;
  /** Whether stdout is a terminal: colours and moving bars only then. */
  readonly isTTY: boolean;
  /** Width of the terminal in characters; 80 when it is not known. */
  readonly columns: number;
  /** Height of the terminal in lines, when it is known. */
  readonly rows?: number | undefined;
}

/** One command of `ota`. It never ends the process by itself. */
export interface Command {
  /** The words that call it, such as `image build`. */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** The whole help text: how it is called, every option, an example. */
  readonly usage: string;
  /** Its options, as parseArgs takes them. Shells complete by them, and by what the usage says about each. */
  readonly options: ParseArgsOptionsConfig;
  /** Words that an option takes, where they are few; the values of others follow from FILE, DIR or ID in the usage. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** Words that may stand alone behind its name, such as `show`. */
  readonly words?: readonly string[];
  /** Answers the exit code. */
  run(args: readonly string[], io: CliIo): Promise<number>;
}

/** Exit codes of every command; documented in docs/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** The command was called wrongly: exit code 2, with a hint to `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was stopped, and there is something to say about what goes on without it. */
export class StoppedEarly extends Error {
  override readonly name = 'StoppedEarly';
}

/** What node:util parseArgs makes of `args`; strict, and a wrong call is a UsageError. */
export function parseCommandLine<const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}

/**
 * Runs a command for the dispatcher: answers `--help`, turns a UsageError into exit code 2 and every other error into
 * exit code 1 with its message on stderr.
 */
export async function runCommand(command: Command, args: readonly string[], io: CliIo): Promise<number> {
  const end = args.indexOf('--');
  const ownArgs = end === -1 ? args : args.slice(0, end);
  if (ownArgs.includes('--help') || ownArgs.includes('-h')) {
    io.stdout.write(`${command.usage.trimEnd()}\n`);
    return exitCodes.ok;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`ota ${command.name}: ${error.message}\nTry: ota ${command.name} --help\n`);
      return exitCodes.usage;
    }
    if (io.signal.aborted) {
      io.stderr.write(`ota ${command.name}: ${error instanceof StoppedEarly ? error.message : 'stopped'}\n`);
      return exitCodes.failed;
    }
    io.stderr.write(`ota ${command.name}: ${messageOf(error)}\n`);
    return exitCodes.failed;
  }
}

/** The messages of an error and of what caused it, in one line. */
function messageOf(error: unknown): string {
  const parts: string[] = [];
  let at = error;
  while (at instanceof Error && parts.length < 5) {
    const { message, cause } = at;
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    at = cause;
  }
  return parts.length === 0 ? `failed with ${JSON.stringify(error)}` : parts.join(': ');
}
