import { ConsoleError } from '#api/console-error.ts';
import type { CliIo } from './command.ts';
import { harmless } from './render-text.ts';
import { vehicleExitCodes } from './vehicle-options.ts';

/** Runs `work`, and turns a call to a console that has no answer into a line on stderr and its exit code. */
export async function withConsole(command: string, io: CliIo, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (io.signal.aborted || !(error instanceof ConsoleError)) throw error;
    io.stderr.write(`ota ${command}: ${harmless(error.message)}\n`);
    if (error.isPassing) return vehicleExitCodes.unreachable;
    return error.isRefusedEntry ? vehicleExitCodes.notLetIn : vehicleExitCodes.failed;
  }
}
